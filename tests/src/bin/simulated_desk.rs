//! The simulated desk of the tests as a program: says where it listens, and stops when its standard input ends.
//!
//! `cargo xtask schemathesis` runs it; so may whoever wants to try a client by hand.

use std::io::Read as _;

use cccd_tests::OpenDesk;

fn main() {
    let desk = OpenDesk::start();
    for (name, value) in desk.environment() {
        println!("{name}={value}");
    }
    println!();
    let mut rest = Vec::new();
    // Whoever started it goes: so does the desk.
    let _ = std::io::stdin().read_to_end(&mut rest);
}
