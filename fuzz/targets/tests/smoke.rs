//! Every target over its seeds, and over changed ones: what a toolchain without libFuzzer can do.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cccd_fuzz_targets::seeds::Seeds;
use cccd_fuzz_targets::{Outcome, TARGETS};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[expect(clippy::unwrap_used, reason = "without seeds there is nothing to test")]
static SEEDS: LazyLock<Seeds> = LazyLock::new(|| Seeds::make().unwrap());

/// Changed seeds of each target: some thousand in all.
const CASES: u32 = 250;

/// One change to bytes.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    /// Lengths and tags are most sensitive by one.
    Step(Index, bool),
    Cut(Index),
    Remove(Index, usize),
    /// Writes a piece of the bytes once more somewhere else.
    Copy(Index, Index, usize),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        let special = prop_oneof![
            any::<u8>(),
            proptest::sample::select(&[0, 1, 0x30, 0x31, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF][..])
        ];
        prop_oneof![
            4 => (any::<Index>(), special).prop_map(|(at, value)| Self::Set(at, value)),
            2 => (any::<Index>(), any::<bool>()).prop_map(|(at, up)| Self::Step(at, up)),
            1 => any::<Index>().prop_map(Self::Cut),
            1 => (any::<Index>(), 1_usize..64).prop_map(|(at, length)| Self::Remove(at, length)),
            2 => (any::<Index>(), any::<Index>(), 1_usize..64).prop_map(|(from, to, length)| Self::Copy(from, to, length)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let end = |at: usize, length: usize| (at + length).min(bytes.len());
        match self {
            Self::Set(at, value) => *at.get_mut(bytes) = *value,
            Self::Step(at, up) => {
                let byte = at.get_mut(bytes);
                *byte = if *up { byte.wrapping_add(1) } else { byte.wrapping_sub(1) };
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Remove(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..end(at, *length));
            }
            Self::Copy(from, to, length) => {
                let from = from.index(bytes.len());
                let piece = bytes.get(from..end(from, *length)).unwrap_or_default().to_vec();
                let to = to.index(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

#[test]
fn every_seed_is_read_so_that_fuzzing_starts_deep() {
    for target in TARGETS {
        let seeds = SEEDS.of(target.name);
        assert!(!seeds.is_empty(), "{} has no seed", target.name);
        for (number, seed) in seeds.iter().enumerate() {
            assert_eq!(
                (target.run)(seed),
                Outcome::Read,
                "{} seed {number}: {}",
                target.name,
                hex::encode(seed)
            );
        }
    }
}

#[test]
fn no_changed_seed_brings_a_parser_down() {
    for target in TARGETS {
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let input = (any::<Index>(), proptest::collection::vec(Change::any(), 1..5));
        let outcome = TestRunner::new_with_rng(config, rng).run(&input, |(seed, changes)| {
            let mut bytes = seed.get(SEEDS.of(target.name)).clone();
            changes.iter().for_each(|change| change.apply(&mut bytes));
            let calm = std::panic::catch_unwind(|| (target.run)(&bytes)).is_ok();
            prop_assert!(calm, "panics over {}", hex::encode(&bytes));
            Ok(())
        });
        assert!(outcome.is_ok(), "{}: {}", target.name, outcome.unwrap_err());
    }
}

#[test]
fn every_target_has_its_binary() {
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    let binaries: BTreeSet<&str> =
        manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap()).collect();
    let targets: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(binaries, targets);
}
