package headgate;

import io.delta.storage.HadoopFileSystemLogStore;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Arrays;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.s3a.AWSServiceIOException;

/**
 * Delta's log on S3A, each commit a conditional put (If-None-Match), so that exactly one of the processes that write
 * the same version succeeds. A listing of S3 shows every completed put; nothing is cached here.
 */
public class ConditionalLogStore extends HadoopFileSystemLogStore {
  private static final String CONDITIONAL = "fs.option.create.conditional.overwrite";
  private static final int CONFLICT = 409;
  private static final long[] PAUSES_MS = {50, 100, 200, 400, 800, 1600};

  public ConditionalLogStore(Configuration conf) {
    super(conf);
  }

  /**
   * Puts a file of lines; where `overwrite` is false, only if there is none.
   *
   * @throws FileAlreadyExistsException where another writer's file is there
   */
  @Override
  public void write(Path path, Iterator<String> lines, Boolean overwrite, Configuration conf) throws IOException {
    FileSystem files = path.getFileSystem(conf);
    byte[] content = bytes(lines);
    if (overwrite) {
      put(files.create(path, true), content);
    } else {
      create(files, path, content);
    }
  }

  @Override
  public Boolean isPartialWriteVisible(Path path, Configuration conf) {
    return false;
  }

  /**
   * The existing file shows why a put failed. Our own bytes: the put succeeded, its response was lost, and S3A's retry
   * was refused. (No two commits have the same bytes: Delta gives each an id.) Other bytes: another writer was first.
   * No file: the put failed, or another put is in progress (409) that may still fail, so it is retried.
   */
  private void create(FileSystem files, Path path, byte[] content) throws IOException {
    for (int tries = 0; ; tries++) {
      try {
        put(created(files, path), content);
        return;
      } catch (IOException failure) {
        byte[] there = contentOf(files, path, failure);
        if (Arrays.equals(there, content)) {
          return;
        }
        if (there != null) {
          throw alreadyExists(path, failure);
        }
        if (!isConflict(failure) || tries == PAUSES_MS.length) {
          throw failure;
        }
        pause(PAUSES_MS[tries], failure);
      }
    }
  }

  /** Overwrites, as Hadoop has it, so that it does not look first whether there is a file: the put alone decides. */
  private static FSDataOutputStream created(FileSystem files, Path path) throws IOException {
    FSDataOutputStreamBuilder<?, ?> file = files.createFile(path);
    file.overwrite(true);
    file.recursive();
    file.must(CONDITIONAL, "true");
    return file.build();
  }

  /** A failed stream is aborted: closing it would put the incomplete content. */
  private static void put(FSDataOutputStream out, byte[] content) throws IOException {
    try {
      out.write(content);
    } catch (IOException | RuntimeException failure) {
      out.abort();
      throw failure;
    }
    out.close();
  }

  /** The file's bytes, or null where there is none. */
  private static byte[] contentOf(FileSystem files, Path path, IOException failure) throws IOException {
    try (FSDataInputStream in = files.open(path)) {
      return in.readAllBytes();
    } catch (FileNotFoundException none) {
      return null;
    } catch (IOException unreadable) {
      failure.addSuppressed(unreadable);
      throw failure;
    }
  }

  private static boolean isConflict(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof AWSServiceIOException && ((AWSServiceIOException) cause).statusCode() == CONFLICT) {
        return true;
      }
    }
    return false;
  }

  private static FileAlreadyExistsException alreadyExists(Path path, IOException cause) {
    FileAlreadyExistsException error = new FileAlreadyExistsException(path.toString());
    error.initCause(cause);
    return error;
  }

  private static void pause(long milliseconds, IOException failure) throws IOException {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw failure;
    }
  }

  private static byte[] bytes(Iterator<String> lines) {
    StringBuilder text = new StringBuilder();
    lines.forEachRemaining(line -> text.append(line).append('\n'));
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }
}
