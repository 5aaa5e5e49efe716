//! Messages: enqueued in a transaction, rendered, sealed, sent later by a worker, retried by class.
