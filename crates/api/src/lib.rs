//! HTTP in: the local API
