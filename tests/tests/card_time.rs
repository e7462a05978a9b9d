//! What a reading costs beside the least it could. Nothing is timed here: the simulation's clock is added up from
//! commands and bytes, and is the same at every run.

use std::time::Duration;

use cccd_firmware_sim::timing::{BitRate, ChipSpeed, Timing};
use cccd_tests::card_time::{Access, Strategy, Subject};
use cccd_tests::people;

fn timing() -> Timing {
    Timing::usual(BitRate::Kbit424)
}

#[test]
fn what_the_agent_chooses_is_near_the_least_and_no_other_strategy_is_faster() {
    let subject = Subject::new(people::card("cccd-2021")).unwrap();
    for access in Access::ALL {
        for agents in [Strategy::Agents, Strategy::AgentsOnShortReader] {
            for (card, run) in [
                ("first", subject.read(access, agents, timing()).unwrap()),
                ("next", subject.read_next(access, agents, timing()).unwrap()),
            ] {
                for (name, milestone) in
                    [("identity", run.identity), ("portrait", run.portrait), ("proofs", run.proofs)]
                {
                    let ratio = milestone.ratio();
                    let label = format!("{} {agents:?}, {card} card, {name}: {ratio}", access.name());
                    assert!((1.0..=1.15).contains(&ratio), "{label}");
                }
            }
        }
        let agents = subject.read(access, Strategy::Agents, timing()).unwrap();
        let narrow = subject.read(access, Strategy::AgentsOnShortReader, timing()).unwrap();
        for strategy in Strategy::ALL {
            let run = subject.read(access, strategy, timing()).unwrap();
            assert!(run.portrait.took >= agents.portrait.took, "{} {strategy:?}", access.name());
            if matches!(strategy, Strategy::AtMost(..=256)) {
                assert!(run.portrait.took >= narrow.portrait.took, "{} {strategy:?}", access.name());
            }
        }
    }
}

#[test]
fn the_next_card_of_a_make_is_asked_less() {
    let subject = Subject::new(people::card("cccd-2021")).unwrap();
    for access in Access::ALL {
        let first = subject.read(access, Strategy::Agents, timing()).unwrap();
        let next = subject.read_next(access, Strategy::Agents, timing()).unwrap();
        assert!(next.commands < first.commands, "{}: {} {}", access.name(), next.commands, first.commands);
    }
}

#[test]
fn the_person_is_known_before_the_face_is_read() {
    let subject = Subject::new(people::card("cccd-2021")).unwrap();
    let run = subject.read(Access::PaceCan, Strategy::Agents, timing()).unwrap();
    // The face is the most of the bytes, and none of them is waited for.
    let face = run.portrait.took - run.identity.took;
    assert!(face > timing().bit_rate.bytes(15_000), "{face:?}");
    assert!(run.identity.took < run.portrait.took && run.portrait.took < run.proofs.took);
}

#[test]
fn the_time_is_made_of_bit_rate_overhead_and_computing() {
    let subject = Subject::new(people::card("cccd-2021")).unwrap();
    let read = |timing| subject.read(Access::PaceCan, Strategy::Agents, timing).unwrap();
    let usual = read(timing());
    let nothing = Timing { per_command: Duration::ZERO, chip: ChipSpeed::AT_ONCE, ..timing() };
    let bytes_alone = read(nothing);
    assert_eq!(bytes_alone.proofs.chip, Duration::ZERO);
    // PACE maps and agrees with two computations each, chip authentication with one, active authentication signs.
    let chip = ChipSpeed::ASSUMED;
    assert_eq!(usual.proofs.chip, 5 * chip.agreement + chip.signature + 2 * chip.symmetric);
    let slow = read(Timing { bit_rate: BitRate::Kbit106, ..nothing });
    assert!(slow.portrait.took > 3 * bytes_alone.portrait.took);
    let commands = u32::try_from(usual.commands).unwrap();
    let rest = usual.proofs.took - usual.proofs.chip - timing().per_command * commands;
    // Keys, nonces and signatures differ in a byte or two.
    assert!(rest.abs_diff(bytes_alone.proofs.took) < timing().bit_rate.bytes(64));
}
