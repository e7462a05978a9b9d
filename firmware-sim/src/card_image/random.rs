//! A small deterministic random source: xoshiro256++ seeded through SplitMix64.
//!
//! A corpus must be the same on every machine and for ever, so it does not lean on a crate whose stream may
//! change with a version, nor on the operating system.

/// A stream of numbers that depends on its seed and on nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream numbered `stream` of the frame numbered `index` of the corpus `seed`.
    ///
    /// Each concern of a frame (its person, its pose, its noise) has a stream of its own: one more draw in one
    /// of them leaves the others as they were.
    pub(crate) fn new(seed: u64, index: u64, stream: u64) -> Self {
        let mut mixer = split_mix(seed) ^ split_mix(index.wrapping_mul(0x9E6C_63D0_876A_68E5));
        mixer ^= split_mix(stream.wrapping_add(0x5851_F42D_4C95_7F2D));
        let state = std::array::from_fn(|_| {
            mixer = mixer.wrapping_add(0x9E37_79B9_7F4A_7C15);
            split_mix(mixer)
        });
        Self { state }
    }

    /// The next 64 bits (Blackman and Vigna, xoshiro256++ 1.0).
    pub(crate) fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let answer = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        let (b2, a2) = (b ^ c, a ^ d);
        self.state = [a2, b2, c ^ (b << 17), d.rotate_left(45)];
        answer
    }

    /// Evenly spread over `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Evenly spread over `low..high`.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Evenly spread over `0..count`; 0 where `count` is 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next_u64()) * count as u128) >> 64) as usize
    }

    /// One of `choices`.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Close to normal, mean 0, deviation 1: the sum of four 16-bit draws (Irwin-Hall), one draw a call.
    pub(crate) fn bell(&mut self) -> f32 {
        let bits = self.next_u64();
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
        // Four uniforms have variance 4/12.
        (sum as f32 / 65_536.0 - 2.0) * 1.732_050_8
    }
}

fn split_mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_neighbouring_frames_have_nothing_in_common() {
        let first: Vec<u64> = std::iter::repeat_with({
            let mut random = Random::new(7, 0, 0);
            move || random.next_u64()
        })
        .take(64)
        .collect();
        for (seed, index, stream) in [(7, 1, 0), (8, 0, 0), (7, 0, 1)] {
            let mut other = Random::new(seed, index, stream);
            assert!((0..64).all(|_| !first.contains(&other.next_u64())));
        }
    }

    #[test]
    fn bell_has_mean_zero_and_deviation_one() {
        let mut random = Random::new(1, 2, 3);
        let draws: Vec<f32> = (0..40_000).map(|_| random.bell()).collect();
        let mean = draws.iter().sum::<f32>() / 40_000.0;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f32>() / 40_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }
}
