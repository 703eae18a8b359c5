"""The receiver's storage: create-only writes that are durable when they return, and reads.

`base.py` declares the interface; `folder.py` implements it for a folder, `s3.py` for an S3 API with `multipart.py`
for long bodies. Every failure of a store is a StorageError. Only `ingest_api` imports this package.
"""

from ingest_api.storage.base import LongWrite, Storage, Stored
from ingest_api.storage.folder import FolderStorage
from ingest_api.storage.opening import open_storage
from ingest_api.storage.s3 import S3Storage

__all__ = ["FolderStorage", "LongWrite", "S3Storage", "Storage", "Stored", "open_storage"]
