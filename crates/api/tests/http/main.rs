//! The API from outside: requests in, answers out, over a real engine.

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
mod jobs;
#[cfg(test)]
mod readings;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod scans;
