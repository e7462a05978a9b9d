//! `cargo xtask bench api`: what the API adds to the engine below it, how fast it answers, and whether a thousand
//! listeners hear every event once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use cccd_api::{AgentFacts, Api, serve};
use cccd_card::{ChannelLimits, ReaderId};
use cccd_document::{AccessKey, Biometrics, Can, FieldSet};
use cccd_engine::{CallerId, Engine, EngineOptions, ReadRequest, every_group};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_profiles::{Caller, Results, TokenHash};
use cccd_tests::people;
use futures_util::StreamExt as _;
use reqwest::Client;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const CARD: &str = "cccd-2021";
const READERS: usize = 4;
const CALLERS: usize = 10;
const LISTENERS: usize = 1000;
const JOBS: usize = 200;
const ROUNDS: usize = 100;
const REQUESTS: usize = 5000;
/// What a whole reading may cost more through HTTP than in the process (median).
const MOST_OVERHEAD: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    let outcome =
        tokio::runtime::Runtime::new().context("no runtime").and_then(|runtime| runtime.block_on(bench()));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Bench {
    engine: Engine,
    address: String,
    client: Client,
    readers: Vec<ReaderId>,
}

async fn bench() -> Result<bool> {
    more_files()?;
    let bench = Bench::start().await?;
    println!("The API over {READERS} simulated readers in one process; times are this machine's.\n");
    bench.requests().await?;
    let kept = bench.overhead().await?;
    bench.listeners().await?;
    Ok(kept)
}

/// A thousand connections have two ends here.
fn more_files() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

fn token(caller: usize) -> String {
    format!("token-of-caller-{caller}")
}

fn name(caller: usize) -> String {
    format!("caller-{caller}")
}

#[expect(clippy::disallowed_methods, reason = "a bench tells how old an event is when it is heard")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

impl Bench {
    async fn start() -> Result<Self> {
        let hand = InProcessReader::new();
        let issuer = Issuer::new()?;
        let mut readers = Vec::new();
        for lane in 0..READERS {
            let reader = hand.attach(&format!("Lane {lane}"), ChannelLimits::EXTENDED)?;
            hand.insert(&reader, Chip::new(personalise(&people::card(CARD), &issuer)?))?;
            readers.push(reader);
        }
        let options = EngineOptions { queue: JOBS, clock: Arc::new(now), ..EngineOptions::default() };
        let engine = Engine::start(vec![Arc::new(hand)], Vec::new(), options);
        ensure!(engine.handle().settled().await?, "the simulated readers are not seen");
        let callers: Vec<Caller> = (0..CALLERS)
            .map(|caller| Caller {
                name: name(caller),
                token: TokenHash::of(&token(caller)),
                origins: Vec::new(),
                scopes: Vec::new(),
                profiles: Vec::new(),
                results: Results::default(),
            })
            .collect();
        let api =
            Api::new(engine.handle(), callers, AgentFacts { version: "bench".to_owned(), features: vec![] });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        tokio::spawn(serve(listener, api, std::future::pending()));
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { engine, address, client, readers })
    }

    fn ask(&self, reader: usize) -> Value {
        json!({
            "reader": self.readers[reader % READERS].as_str(),
            "access": { "can": people::card(CARD).can().unwrap_or_default() },
            "portrait": true,
        })
    }

    /// Small questions, one after the other and eight at a time.
    async fn requests(&self) -> Result<()> {
        println!("| GET /v1/readers | requests/s | p50 µs | p99 µs |\n|---|---:|---:|---:|");
        for at_once in [1, 8] {
            let start = Instant::now();
            let workers = (0..at_once).map(|_| {
                let request = self.client.get(format!("{}/v1/readers", self.address)).bearer_auth(token(0));
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    for _ in 0..REQUESTS / at_once {
                        let asked = Instant::now();
                        let answer = request.try_clone().context("a request without a body")?.send().await?;
                        answer.error_for_status()?.bytes().await?;
                        times.push(asked.elapsed());
                    }
                    anyhow::Ok(times)
                })
            });
            let mut times = Vec::new();
            for worker in workers.collect::<Vec<_>>() {
                times.extend(worker.await??);
            }
            let rate = REQUESTS as f64 / start.elapsed().as_secs_f64();
            let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
            println!("| {at_once} at once | {rate:.0} | {} | {} |", p50.as_micros(), p99.as_micros());
        }
        Ok(())
    }

    /// The same reading with and without HTTP, taking turns.
    async fn overhead(&self) -> Result<bool> {
        let (mut bare, mut through) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            for with_http in [round % 2 == 0, round % 2 == 1] {
                let start = Instant::now();
                if with_http {
                    self.read_through_http().await?;
                    through.push(start.elapsed());
                } else {
                    self.read_bare().await?;
                    bare.push(start.elapsed());
                }
            }
        }
        let [bare_50, bare_99] = [50, 99].map(|share| percentile(&mut bare, share));
        let [through_50, through_99] = [50, 99].map(|share| percentile(&mut through, share));
        let overhead = through_50.saturating_sub(bare_50);
        let kept = overhead < MOST_OVERHEAD;
        println!("\n| a whole reading, portrait included | p50 ms | p99 ms |\n|---|---:|---:|");
        println!("| engine alone | {:.2} | {:.2} |", millis(bare_50), millis(bare_99));
        println!("| through HTTP | {:.2} | {:.2} |", millis(through_50), millis(through_99));
        println!(
            "| the API's part (median, promised under 2) | {:.2} | {} |",
            millis(overhead),
            verdict(kept)
        );
        Ok(kept)
    }

    async fn read_bare(&self) -> Result<()> {
        let (handle, owner) = (self.engine.handle(), CallerId::new("bare"));
        let card = people::card(CARD);
        let can = card.can().context("the card has a CAN")?;
        let request = ReadRequest {
            owner: owner.clone(),
            reader: Some(self.readers[0].clone()),
            access: AccessKey::Can(Can::new(can)?).into(),
            groups: every_group(),
            fields: FieldSet::ALL,
            biometrics: Biometrics::NONE,
            under: None,
            nonce: None,
            expect: None,
            wait_for_card: None,
        };
        let view = handle.submit(request).await??;
        let mut watched = handle.watch(owner.clone(), view.id).await??;
        watched.wait_for(|view| view.state.is_over()).await?;
        handle.result(owner, view.id).await??;
        Ok(())
    }

    async fn read_through_http(&self) -> Result<()> {
        let answer = self
            .client
            .post(format!("{}/v1/reads", self.address))
            .bearer_auth(token(0))
            .header("prefer", "wait=60")
            .json(&self.ask(0))
            .send()
            .await?;
        ensure!(answer.status() == 200, "a reading ended with {}", answer.status());
        answer.bytes().await?;
        Ok(())
    }

    /// A thousand listeners, two hundred readings in the queue.
    async fn listeners(&self) -> Result<()> {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let listening = Arc::new(tokio::sync::Semaphore::new(0));
        let mut tasks = Vec::new();
        for listener in 0..LISTENERS {
            let request =
                self.client.get(format!("{}/v1/events", self.address)).bearer_auth(token(listener % CALLERS));
            let (tell, listening) = (tell.clone(), Arc::clone(&listening));
            tasks.push(tokio::spawn(async move {
                let mut stream = request.send().await?.error_for_status()?.bytes_stream();
                listening.add_permits(1);
                let mut pending = String::new();
                let mut last = 0u64;
                while let Some(chunk) = stream.next().await {
                    pending.push_str(std::str::from_utf8(&chunk?)?);
                    while let Some((event, rest)) = pending.split_once("\n\n") {
                        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                        if let Some(data) = data {
                            let event: Value = serde_json::from_str(data)?;
                            let id: u64 = event["id"].as_str().context("an id")?.parse()?;
                            ensure!(id > last, "listener {listener} heard {id} after {last}");
                            last = id;
                            let happened = event["time"].as_str().context("a time")?;
                            let age = now() - OffsetDateTime::parse(happened, &Rfc3339)?;
                            if tell
                                .send((
                                    listener,
                                    id,
                                    event["type"].clone(),
                                    event["data"]["read_id"].clone(),
                                    age,
                                ))
                                .is_err()
                            {
                                return Ok(());
                            }
                        }
                        pending = rest.to_owned();
                    }
                }
                anyhow::Ok(())
            }));
        }
        let _all = listening.acquire_many(u32::try_from(LISTENERS)?).await?;

        let start = Instant::now();
        let mut jobs: BTreeMap<String, usize> = BTreeMap::new();
        for job in 0..JOBS {
            let caller = job % CALLERS;
            let asked = self
                .client
                .post(format!("{}/v1/reads", self.address))
                .bearer_auth(token(caller))
                .json(&self.ask(job))
                .send()
                .await?;
            ensure!(asked.status() == 202, "job {job} was answered {}", asked.status());
            let read: Value = asked.json().await?;
            jobs.insert(read["read_id"].as_str().context("a read_id")?.to_owned(), caller);
        }
        let mut ages: Vec<Duration> = Vec::new();
        let mut heard: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        let mut ends = 0;
        while ends < JOBS * LISTENERS / CALLERS {
            let next = tokio::time::timeout(Duration::from_secs(120), told.recv()).await;
            let Some((listener, id, kind, read, age)) = next.context("events stopped coming")? else {
                bail!("every listener has gone")
            };
            ensure!(heard.entry(listener).or_default().insert(id), "listener {listener} heard {id} twice");
            ages.push(age.try_into().unwrap_or_default());
            if let Some(read) = read.as_str() {
                let owner = jobs.get(read).context("an event of a reading nobody asked for")?;
                ensure!(
                    *owner == listener % CALLERS,
                    "listener {listener} heard of another caller's reading"
                );
            }
            ensure!(kind != "read.failed" && kind != "events.missed", "heard {kind}");
            ends += usize::from(kind == "read.completed");
        }
        let elapsed = start.elapsed();
        for (listener, ids) in &heard {
            let twin = &heard[&(listener % CALLERS)];
            ensure!(ids == twin, "listeners of one caller heard different events");
        }
        ensure!(heard.len() == LISTENERS);
        let delivered = ages.len();
        let (p50, p99) = (percentile(&mut ages, 50), percentile(&mut ages, 99));
        println!("\n| {LISTENERS} listeners, {JOBS} readings queued | |\n|---|---:|");
        println!("| events delivered, each once and in order | {delivered} |");
        println!("| event age when heard, p50 ms | {:.1} |", millis(p50));
        println!("| event age when heard, p99 ms | {:.1} |", millis(p99));
        println!("| all readings done after, s | {:.1} |", elapsed.as_secs_f64());
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(())
    }
}

fn percentile(times: &mut [Duration], share: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "MORE" }
}
