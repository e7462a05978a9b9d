//! The client libraries, each in its own language, against the daemon; and the samples of their manuals, run as they are
//! printed.
//!
//! A language that is not on the machine is a failing test: `cargo xtask setup` installs all of them.

use std::path::Path;
use std::process::{Command, Output};

use cccd_tests::{CuttingProxy, OpenDesk, manual, open_desk, people};
use tempfile::TempDir;

/// What every client promises, by the names its checks say.
const PROMISES: [&str; 9] = [
    "read",
    "events resumed",
    "portrait",
    "wrong key",
    "expectation",
    "cancelled",
    "scan",
    "lease",
    "nobody there",
];

/// Runs a program to its end; it must succeed.
fn run(command: &mut Command) -> String {
    let program = command.get_program().to_owned();
    let output = cccd_patience::output(&format!("{program:?}, which `cargo xtask setup` installs"), command);
    let Output { status, stdout, stderr } = output;
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?} ended with {status}:\n{out}\n{err}");
    out.into_owned()
}

/// Runs a client's own checks against a desk, and its events through a line that breaks.
fn check(command: &mut Command, more: &[&str]) {
    let desk = OpenDesk::start();
    let proxy = CuttingProxy::start(&desk.address());
    command.envs(desk.environment()).env("CCCD_CUT_URL", proxy.url());
    let said = run(command);
    let kept: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("ok ")).collect();
    let promised: Vec<&str> = PROMISES.iter().chain(more).copied().collect();
    assert_eq!(kept, promised, "{said}");
    assert!(proxy.cuts() >= 2, "the line broke {} times", proxy.cuts());
}

/// Runs a sample against a desk whose card it reads.
fn sample(command: &mut Command) -> String {
    let desk = OpenDesk::start();
    command.envs(desk.environment());
    let said = run(command);
    let card = open_desk::card();
    assert!(said.contains(&card.citizen().unwrap().name), "the sample printed no name: {said}");
    said
}

/// The one sample of a manual. It is short enough to be read at a glance.
fn printed(readme: &str, language: &str) -> String {
    let mut blocks = manual::blocks(readme, language);
    assert_eq!(blocks.len(), 1, "{readme}");
    let block = blocks.remove(0);
    assert!(block.lines().count() <= 36, "{readme}: the sample has {} lines", block.lines().count());
    block
}

fn javac(sources: &[std::path::PathBuf], out: &Path) {
    let mut javac = Command::new("javac");
    javac.args(["--release", "8", "-Xlint:-options", "-Werror", "-encoding", "UTF-8"]);
    javac.args(["-cp", &class_path(out)]).arg("-d").arg(out).args(sources);
    run(&mut javac);
}

fn class_path(out: &Path) -> String {
    format!("/usr/share/java/gson.jar:{}", out.display())
}

fn java(out: &Path, class: &str) -> Command {
    let mut java = Command::new("java");
    // Output in UTF-8, whatever the machine is set to.
    java.args(["-Dfile.encoding=UTF-8", "-Xshare:auto", "-cp", &class_path(out), class]);
    java
}

fn java_client(out: &Path) {
    let sources = manual::repository("clients/java/src/main/java/cccd/agent");
    let mut files: Vec<_> = std::fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(manual::repository("clients/java/src/test/java/Checks.java"));
    javac(&files, out);
}

#[test]
fn javascript_keeps_its_promises() {
    check(
        Command::new("node").arg(manual::repository("clients/js/test/checks.js")),
        &["readings", "any call", "probe", "types"],
    );
}

#[test]
fn the_javascript_sample_reads_the_card() {
    let folder = TempDir::new().unwrap();
    let client = manual::repository("clients/js/cccd-agent.js");
    std::fs::copy(client, folder.path().join("cccd-agent.js")).unwrap();
    let file = folder.path().join("sample.mjs");
    std::fs::write(&file, printed("clients/js/README.md", "js")).unwrap();
    std::fs::write(folder.path().join("package.json"), "{\"type\":\"module\"}").unwrap();
    let said = sample(Command::new("node").arg(file));
    assert!(said.contains("image/jpeg"), "{said}");
}

#[test]
fn python_keeps_its_promises() {
    check(
        python(&manual::repository("clients/python"))
            .arg(manual::repository("clients/python/tests/checks.py")),
        &["registers are for whom the settings name"],
    );
}

#[test]
fn the_python_sample_reads_the_card() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sample.py");
    std::fs::write(&file, printed("clients/python/README.md", "python")).unwrap();
    let said = sample(python(&manual::repository("clients/python")).arg(file));
    assert!(said.contains("image/jpeg"), "{said}");
}

fn python(path: &Path) -> Command {
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
    python.args(["-W", "error"]);
    python
}

#[test]
fn java_keeps_its_promises_and_its_sample_reads_the_card() {
    let folder = TempDir::new().unwrap();
    java_client(folder.path());
    check(&mut java(folder.path(), "Checks"), &[]);

    let file = folder.path().join("ReadCard.java");
    std::fs::write(&file, printed("clients/java/README.md", "java")).unwrap();
    javac(&[file], folder.path());
    let said = sample(&mut java(folder.path(), "ReadCard"));
    assert!(said.contains("bytes of face"), "{said}");
}

/// A sample that is refused says so in Vietnamese and fails: here the token is none.
#[test]
fn the_samples_tell_what_went_wrong() {
    let folder = TempDir::new().unwrap();
    let desk = OpenDesk::start();
    let file = folder.path().join("sample.py");
    std::fs::write(&file, printed("clients/python/README.md", "python")).unwrap();
    let mut command = python(&manual::repository("clients/python"));
    command.arg(file).envs(desk.environment()).env("CCCD_AGENT_TOKEN", "none");
    let output = cccd_patience::output("the sample", &mut command);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let problem = cccd_api::Problem::find("token-wrong").unwrap();
    assert!(said.contains(problem.title.vi) && said.contains(problem.remedy.vi), "{said}");
    people::assert_nobody_in("what the sample says", &said);
}

/// Compiles C# with Mono's compiler, at the language level that .NET Standard 2.0 comes with.
fn mcs(out: &Path, kind: &str, sources: &[std::path::PathBuf], more: &[&str]) {
    let mut mcs = Command::new("mcs");
    mcs.args(["-langversion:7", "-warnaserror", "-codepage:utf8", kind]).args(more);
    for library in ["System.Net.Http", "System.Runtime.Serialization", "System.Xml", "System.Xml.Linq"] {
        mcs.arg(format!("-r:{library}.dll"));
    }
    mcs.arg(format!("-out:{}", out.display())).args(sources);
    run(&mut mcs);
}

#[test]
fn csharp_keeps_its_promises_and_its_sample_reads_the_card() {
    let folder = TempDir::new().unwrap();
    let sources = manual::repository("clients/csharp/src");
    let files: Vec<_> = std::fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path()).collect();
    let library = folder.path().join("CccdAgent.dll");
    mcs(&library, "-target:library", &files, &[]);

    let with_library = format!("-r:{}", library.display());
    let checks = folder.path().join("Checks.exe");
    mcs(&checks, "-target:exe", &[manual::repository("clients/csharp/test/Checks.cs")], &[&with_library]);
    check(Command::new("mono").arg(&checks), &[]);

    let file = folder.path().join("ReadCard.cs");
    std::fs::write(&file, printed("clients/csharp/README.md", "csharp")).unwrap();
    let program = folder.path().join("ReadCard.exe");
    mcs(&program, "-target:exe", &[file], &[&with_library]);
    let said = sample(Command::new("mono").arg(program).env("LC_ALL", "C.UTF-8"));
    assert!(said.contains("bytes of face"), "{said}");
}
