//! What must be on the machine before anything but this crate can be built.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::run::{run, step};
use crate::socket_io;

/// A Debian or Ubuntu package, and what it is for.
type Package = (&'static str, &'static str);

/// What everything needs.
const PACKAGES: [Package; 18] = [
    ("gcc", "links everything, builds the C parts of dependencies"),
    ("pkg-config", "finds the libraries below"),
    ("libpcsclite-dev", "the agent talks to PC/SC readers"),
    ("libnfc-dev", "the agent talks to NFC readers that no PC/SC driver serves, such as a PN532"),
    ("libclang-dev", "reads libnfc's header while the agent is built"),
    ("libnfc-bin", "nfc-list, which must find the simulated PN532 as the agent does"),
    ("libssl-dev", "the simulated chip's cryptography"),
    ("pcscd", "the smart-card service that tests and demo drive"),
    ("libccid", "the reader driver in it"),
    ("vsmartcard-vpcd", "another reader driver in it, whose reader is software and carries long APDUs"),
    ("curl", "the test that runs the commands of docs/callers.md"),
    ("openssl", "the same: it signs as a site's backend would"),
    ("poppler-utils", "reads the PDFs again that records of readings are"),
    ("mosquitto", "the MQTT broker that simulated desks report to"),
    ("mosquitto-clients", "takes results from it, as a consumer's program does"),
    ("softhsm2", "a token that is software, for the test that keeps a station's key in one"),
    ("chromium", "the browser that tests drive, without a window"),
    ("chromium-driver", "drives it"),
];

/// What only the bench of QR decoders needs: one of them is a C++ library.
const FOR_QR_BENCH: [Package; 2] =
    [("g++", "compiles the decoder in C++ that ours is measured against"), ("cmake", "builds it")];

/// What the tests of the client libraries need, each in its own language.
const FOR_CLIENTS: [Package; 12] = [
    ("nodejs", "runs the JavaScript client"),
    ("python3", "runs the Python client"),
    ("python3-jwcrypto", "opens results that were sealed, with a library that is not ours"),
    ("python3-venv", "a place of its own for schemathesis, which tries the API"),
    ("default-jdk-headless", "compiles and runs the Java client"),
    ("libgoogle-gson-java", "JSON for it"),
    ("mono-mcs", "compiles the C# client"),
    ("mono-runtime", "runs it"),
    ("libmono-system-net-http4.0-cil", "HTTP for it"),
    ("libmono-system-runtime-serialization4.0-cil", "JSON for it"),
    ("libmono-system-xml-linq4.0-cil", "the same"),
    ("curl", "runs the guide of the API by hand"),
];

/// Brings Socket.IO's own client and server. A nodejs from elsewhere than Debian has it in it.
const NPM: Package = ("npm", "installs the library that programs speak to network readers with");

/// Installs what is missing.
pub(crate) fn setup() -> Result<()> {
    let mut missing = missing()?;
    if has_apt() {
        missing.extend(not_installed_for_clients());
    }
    if missing.is_empty() {
        println!("no package to install");
    } else {
        install(&missing)?;
    }
    socket_io::install()
}

/// The same, without a word where nothing is missing.
pub(crate) fn setup_if_needed() -> Result<()> {
    let missing = missing()?;
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// What every test needs: the languages of the clients too.
pub(crate) fn setup_for_tests() -> Result<()> {
    setup_if_needed()?;
    if has_apt() {
        let missing = not_installed_for_clients();
        if !missing.is_empty() {
            install(&missing)?;
        }
        return socket_io::install();
    }
    let absent: Vec<&str> = ["node", "npm", "python3", "javac", "mcs", "mono", "curl"]
        .into_iter()
        .filter(|program| !has(program))
        .collect();
    if absent.is_empty() {
        return socket_io::install();
    }
    bail!("the tests of the clients need {}; without apt, install them yourself", absent.join(", "))
}

/// What the bench of QR decoders needs beyond the rest.
pub(crate) fn setup_for_qr_bench() -> Result<()> {
    setup_if_needed()?;
    if has_apt() {
        let missing = not_installed(&FOR_QR_BENCH);
        return if missing.is_empty() { Ok(()) } else { install(&missing) };
    }
    if has("cmake") && has("c++") {
        return Ok(());
    }
    bail!("the bench of QR decoders needs a C++20 compiler and cmake; without apt, install them yourself")
}

fn missing() -> Result<Vec<&'static str>> {
    if !has_apt() {
        // Without apt we cannot look; the build says which library it misses, and this says how to get it.
        return if has("pkg-config") && ["libpcsclite", "libnfc", "openssl"].into_iter().all(pkg_config_knows)
        {
            Ok(Vec::new())
        } else {
            bail!("{}", elsewhere())
        };
    }
    Ok(not_installed(&PACKAGES))
}

fn has_apt() -> bool {
    has("dpkg-query") && has("apt-get")
}

fn not_installed(packages: &[Package]) -> Vec<&'static str> {
    packages.iter().map(|(name, _)| *name).filter(|name| !is_installed(name)).collect()
}

fn not_installed_for_clients() -> Vec<&'static str> {
    let npm = Some(NPM.0).filter(|_| !has("npm"));
    not_installed(&FOR_CLIENTS).into_iter().chain(npm).collect()
}

fn install(missing: &[&str]) -> Result<()> {
    step(&format!("installing {}", missing.join(", ")), || {
        let root = std::env::var("USER").is_ok_and(|user| user == "root") || is_root();
        let apt = || {
            let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
            if !root {
                command.arg("apt-get");
            }
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        };
        let mut update = apt();
        update.args(["update", "--quiet"]);
        run(update)?;
        let mut install = apt();
        install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(missing);
        run(install)
    })
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn is_installed(package: &str) -> bool {
    let query = Command::new("dpkg-query").args(["--show", "--showformat=${Status}", package]).output();
    query.is_ok_and(|output| output.status.success() && output.stdout.ends_with(b" installed"))
}

fn has(program: &str) -> bool {
    runs(Command::new(program).arg("--version"))
}

fn pkg_config_knows(library: &str) -> bool {
    runs(Command::new("pkg-config").args(["--exists", library]))
}

fn runs(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn elsewhere() -> String {
    let packages: Vec<String> =
        PACKAGES.iter().map(|(name, purpose)| format!("  {name:<16} {purpose}")).collect();
    format!(
        "this machine has no apt, so install the equals of these Debian packages yourself:\n{}\n\
         Fedora: dnf install gcc pkgconf-pkg-config pcsc-lite-devel libnfc-devel clang-devel libnfc openssl-devel pcsc-lite pcsc-lite-ccid softhsm poppler-utils mosquitto\n\
         Arch:   pacman -S gcc pkgconf pcsclite libnfc clang openssl ccid softhsm poppler mosquitto",
        packages.join("\n")
    )
}
