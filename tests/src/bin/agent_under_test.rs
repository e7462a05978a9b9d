//! `cccd-agent` itself, built for the tests beside it.

fn main() -> std::process::ExitCode {
    cccd_agent::main()
}
