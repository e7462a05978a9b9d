//! Wires the rest: the daemon and its command line
