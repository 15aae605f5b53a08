//! A small seeded generator of random numbers: the demo plays the same story for the same seed.

/// The xorshift64* generator.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Evenly in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly in `from..to`.
    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// Evenly in `from..=to`.
    pub(super) fn whole(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// The time to the next of events that come at random, `rate` of them a second on average.
    pub(super) fn wait(&mut self, rate: f64) -> f64 {
        -self.unit().max(1e-9).ln() / rate.max(1e-6)
    }

    /// One of these words; none of none.
    pub(super) fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let place = self.next() as usize % from.len().max(1);
        from.get(place).copied().unwrap_or_default()
    }

    /// A version 4 UUID.
    pub(super) fn uuid(&mut self) -> u128 {
        let random = u128::from(self.next()) << 64 | u128::from(self.next());
        random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62
    }
}
