//! A scanner, and the codes that are shown to it.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use cccd_card::StopSignal;
use cccd_document::QrPayload;
use cccd_profiles::{DeskScanner, ScannerCatalogue, ScannerPlace};
use cccd_readers::{Burst, Heard, ScannerTrial, try_port};

use super::assertion::{Assertion, Tried};
use super::bench_file::ScannerPlaceOnBench;
use super::hand::Hand;
use super::report::{CodeFacts, Report};

/// Tries a scanner out.
pub(super) fn run(place: &ScannerPlaceOnBench, hand: &mut dyn Hand, report: &mut Report) -> Result<()> {
    let catalogue = ScannerCatalogue::shipped();
    let profile = catalogue.get(&place.profile).with_context(|| format!("no profile {:?}", place.profile))?;
    let desk = DeskScanner {
        name: report.bench.clone(),
        place: ScannerPlace::Port(place.port.clone()),
        profile: profile.clone(),
    };
    let stop = StopSignal::default();
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let trial = scope.spawn(|| {
            let failed = try_port(&desk, None, &mut |what| drop(tell.send(Ok(what))), &stop);
            if let Err(fault) = failed {
                let _ = tell.send(Err(fault));
            }
        });
        let outcome = codes(&told, hand, report);
        stop.raise();
        let _ = trial.join();
        outcome
    })
}

type News = Result<ScannerTrial, cccd_readers::PortFault>;

fn codes(told: &Receiver<News>, hand: &mut dyn Hand, report: &mut Report) -> Result<()> {
    let patience = hand.patience();
    match next(told, patience)? {
        ScannerTrial::Open { port } => report.reader = Some(port),
        other => bail!("{other:?} before the port was open"),
    }
    hand.show_code()?;
    let whole = burst(told, patience).and_then(|burst| is_whole(&burst, "card", report));
    report
        .assertions
        .push(Assertion::of("a code that is shown arrives whole, once, and is a citizen's", whole));
    hand.show_code()?;
    let again = burst(told, patience).and_then(|burst| {
        let facts = facts(&burst, "card")?;
        let first = report.codes.first().context("there was none before")?;
        ensure!((facts.bytes, facts.fields) == (first.bytes, first.fields), "another length than before");
        Ok(Tried::Held)
    });
    report.assertions.push(Assertion::of("the same code shown again is the same", again));
    if hand.show_app_code()? {
        let app = burst(told, patience).and_then(|burst| {
            report.codes.push(facts(&burst, "VNeID")?);
            Ok(Tried::Held)
        });
        report.assertions.push(Assertion::of("the code of VNeID arrives whole", app));
    }
    Ok(())
}

fn next(told: &Receiver<News>, patience: Duration) -> Result<ScannerTrial> {
    match told.recv_timeout(patience) {
        Ok(Ok(news)) => Ok(news),
        Ok(Err(fault)) => bail!("the port: {fault:?}"),
        Err(_) => bail!("nothing came for {} s", patience.as_secs()),
    }
}

fn burst(told: &Receiver<News>, patience: Duration) -> Result<Burst> {
    loop {
        match next(told, patience)? {
            ScannerTrial::Burst(burst) => return Ok(burst),
            ScannerTrial::Gone => bail!("the scanner is gone"),
            _ => {}
        }
    }
}

fn is_whole(burst: &Burst, of: &'static str, report: &mut Report) -> Result<Tried> {
    let codes = burst.heard.iter().filter(|heard| matches!(heard, Heard::Code(_))).count();
    ensure!(codes == 1, "{codes} codes of one");
    let facts = facts(burst, of)?;
    ensure!(facts.kind == "citizen", "read as {}", facts.kind);
    report.codes.push(facts);
    Ok(Tried::Held)
}

fn facts(burst: &Burst, of: &'static str) -> Result<CodeFacts> {
    let code = burst.heard.iter().find_map(|heard| match heard {
        Heard::Code(code) => Some(code),
        _ => None,
    });
    let code = code.context("what came is no code")?;
    Ok(CodeFacts {
        of,
        bytes: code.len(),
        fields: 1 + code.iter().filter(|byte| **byte == b'|').count(),
        kind: QrPayload::parse(code).kind().as_str(),
        begins: hex::encode_upper(&burst.shape.begins),
        ends: hex::encode_upper(&burst.shape.ends),
    })
}
