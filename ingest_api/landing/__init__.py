"""Landing without HTTP: an arriving body becomes one durable object, whatever the retries.

`body.py` counts, digests and checks a body while it arrives, `land.py` gives it its place, `receipts.py` says what the
sender hears. `direct.py` serves `headgate upload --direct`. No module here imports Flask.
"""
