//! The daemon of one desk. Everything is in the library.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    cccd_agent::main()
}
