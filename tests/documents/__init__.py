"""What people read: written by `python -m tests.documents`, and compared with the code by the tests here."""
