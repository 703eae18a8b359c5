"""Landing without HTTP: a received body becomes exactly one durable object, with any number of retries.

`body.py` counts, digests and checks a body while it arrives, `land.py` writes it to its path, `receipts.py` creates
the response. `direct.py` serves `headgate upload --direct`. No module here imports Flask.
"""
