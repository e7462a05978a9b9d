//! Corpora on disk: `manifest.jsonl` with one JSON object a frame, and the pictures beside it or in `frames/`.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result};
use cccd_firmware_sim::card_image::Corpus;
use serde::{Deserialize, Serialize};

use crate::sample::Sample;

/// One line of the manifest. Further members are allowed and ignored.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    file: String,
    #[serde(default)]
    level: u8,
    payload: Option<String>,
}

/// A folder of frames.
pub(crate) struct Folder {
    root: PathBuf,
    lines: Vec<Line>,
}

impl Folder {
    pub(crate) fn open(root: &Path, most: u64) -> Result<Self> {
        let manifest = root.join("manifest.jsonl");
        let text =
            fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .enumerate()
            .map(|(at, line)| serde_json::from_str(line).with_context(|| format!("manifest line {}", at + 1)))
            .collect::<Result<_>>()?;
        Ok(Self { root: root.to_owned(), lines })
    }

    pub(crate) fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    pub(crate) fn sample(&self, index: u64) -> Result<Sample> {
        let line = usize::try_from(index).ok().and_then(|at| self.lines.get(at)).context("no such line")?;
        let beside = self.root.join(&line.file);
        let path = if beside.is_file() { beside } else { self.root.join("frames").join(&line.file) };
        let picture =
            image::open(&path).with_context(|| format!("cannot read {}", path.display()))?.into_luma8();
        Ok(Sample {
            name: line.file.clone(),
            width: picture.width(),
            height: picture.height(),
            grey: picture.into_raw().into(),
            level: line.level,
            payload: line.payload.as_ref().map(|text| text.clone().into_bytes()),
            rendered: None,
        })
    }
}

/// Renders `count` frames of the corpus `seed` into `root`.
pub(crate) fn write(root: &Path, seed: u64, count: u64, threads: usize) -> Result<()> {
    let frames = root.join("frames");
    fs::create_dir_all(&frames).with_context(|| format!("cannot make {}", frames.display()))?;
    let corpus = Corpus::new(seed);
    let next = AtomicU64::new(0);
    let lines = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut lines = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            return anyhow::Ok(lines);
                        }
                        lines.push((index, write_one(&frames, &corpus, index)?));
                    }
                })
            })
            .collect();
        let mut lines = Vec::new();
        for worker in workers {
            lines.extend(worker.join().map_err(|_| anyhow::anyhow!("a renderer panicked"))??);
        }
        anyhow::Ok(lines)
    });
    let mut lines = lines?;
    lines.sort_by_key(|(index, _)| *index);
    let mut manifest = fs::File::create(root.join("manifest.jsonl"))?;
    for (_, line) in lines {
        writeln!(manifest, "{}", serde_json::to_string(&line)?)?;
    }
    Ok(())
}

fn write_one(frames: &Path, corpus: &Corpus, index: u64) -> Result<Line> {
    let frame = corpus.frame(index);
    let file = format!("{index:05}.jpg");
    fs::write(frames.join(&file), &frame.jpeg)?;
    let payload = frame.truth.map(|truth| String::from_utf8(truth.payload)).transpose()?;
    Ok(Line { file, level: frame.level.number(), payload })
}
