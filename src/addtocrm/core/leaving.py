"""That the server is ending: its workers, which are forked, learn it before their last answers have gone out."""

import multiprocessing

LEAVING = multiprocessing.Event()
