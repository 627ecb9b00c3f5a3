"""Networks trained out on a GPU: the plan of their runs, the queue that does them, the record, and its page."""
