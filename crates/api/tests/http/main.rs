//! The API from outside: requests in, answers out, over a real engine.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod auto_read;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod events;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod local_socket;
#[cfg(test)]
mod negative;
#[cfg(test)]
mod pairing;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod readings;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod registers;
#[cfg(test)]
mod scans;
#[cfg(test)]
mod scopes;
#[cfg(test)]
mod site_backend;
#[cfg(test)]
mod sites;
#[cfg(test)]
#[cfg(unix)]
mod sockets;
