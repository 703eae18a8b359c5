// An S3 stub for bench/ingest.py: create-only PUT, multipart, HEAD, GET and LIST, in memory, with a fixed latency.
//
// It checks no signature and keeps the size, ETag and metadata of an object, not its bytes, so that a long run needs
// little memory. Usage: s3_stub PORT LATENCY_MS. It listens on 127.0.0.1 alone.
package main

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type object struct {
	size     int64
	etag     string
	modified time.Time
	header   http.Header
}

type stub struct {
	lock    sync.Mutex
	objects map[string]object
	latency time.Duration
	uploads int
}

func main() {
	port, latency := os.Args[1], 0
	if len(os.Args) > 2 {
		latency, _ = strconv.Atoi(os.Args[2])
	}
	server := &stub{objects: map[string]object{}, latency: time.Duration(latency) * time.Millisecond}
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+port, server))
	os.Exit(1)
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	digest := md5.New()
	size, err := io.Copy(digest, r.Body)
	if err != nil {
		return
	}
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	switch {
	case r.Method == "PUT" && r.URL.Query().Has("partNumber"):
		w.Header().Set("ETag", etag(digest.Sum(nil)))
	case r.Method == "PUT":
		s.put(w, r, size, etag(digest.Sum(nil)))
	case r.Method == "POST" && r.URL.Query().Has("uploads"):
		s.lock.Lock()
		s.uploads++
		id := s.uploads
		s.lock.Unlock()
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%d</UploadId></InitiateMultipartUploadResult>", id)
	case r.Method == "POST":
		s.put(w, r, 0, etag(digest.Sum(nil)))
	case r.Method == "HEAD":
		s.head(w, r)
	case r.Method == "DELETE":
		w.WriteHeader(204)
	case r.Method == "GET" && r.URL.Query().Has("list-type"):
		fmt.Fprint(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
	default:
		failure(w, 404, "NoSuchKey")
	}
}

func (s *stub) put(w http.ResponseWriter, r *http.Request, size int64, tag string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if _, exists := s.objects[r.URL.Path]; exists && r.Header.Get("If-None-Match") == "*" {
		failure(w, 412, "PreconditionFailed")
		return
	}
	kept := http.Header{}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			kept[name] = values
		}
	}
	s.objects[r.URL.Path] = object{size, tag, time.Now(), kept}
	w.Header().Set("ETag", tag)
	if r.Method == "POST" {
		fmt.Fprintf(w, "<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>", tag)
	}
}

func (s *stub) head(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	found, exists := s.objects[r.URL.Path]
	s.lock.Unlock()
	if !exists {
		w.WriteHeader(404)
		return
	}
	for name, values := range found.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.FormatInt(found.size, 10))
	w.Header().Set("ETag", found.etag)
	w.Header().Set("Last-Modified", found.modified.UTC().Format(http.TimeFormat))
}

func etag(digest []byte) string { return "\"" + hex.EncodeToString(digest) + "\"" }

func failure(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}
