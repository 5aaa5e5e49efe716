//! The machine that everything was measured on, as Linux describes it.

use std::num::NonZero;

/// What a figure depends on besides the program.
pub(crate) struct Machine {
    /// The processor's name.
    model: String,
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// The processor has AVX2.
    pub(crate) has_avx2: bool,
    /// The processor has AVX-512F and AVX-512VL.
    pub(crate) has_avx512: bool,
    /// Memory in GiB, rounded down.
    pub(crate) memory_gib: u64,
}

impl Machine {
    /// Reads `/proc`; what it does not say is unknown, or not there.
    pub(crate) fn find() -> Self {
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self::read(&processor, &memory, std::thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// The same from the texts of `/proc/cpuinfo` and `/proc/meminfo`.
    fn read(processor: &str, memory: &str, cores: usize) -> Self {
        let flags = value(processor, "flags").unwrap_or_default();
        let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
        let kib = value(memory, "MemTotal").and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        Self {
            model: value(processor, "model name").unwrap_or("an unknown processor").to_owned(),
            cores,
            has_avx2: has("avx2"),
            has_avx512: has("avx512f") && has("avx512vl"),
            memory_gib: kib.unwrap_or(0) / (1024 * 1024),
        }
    }

    /// One sentence.
    pub(crate) fn describe(&self) -> String {
        let with = |has: bool| if has { "with" } else { "without" };
        format!(
            "{}, {} cores, {} AVX2, {} AVX-512, {} GiB of memory.",
            self.model,
            self.cores,
            with(self.has_avx2),
            with(self.has_avx512),
            self.memory_gib
        )
    }
}

/// What stands after the colon in the first line with this name.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_a_whole_word() {
        for (flags, described) in
            [("avx2 avx512f avx512vl", "with AVX2, with AVX-512"), ("avx avx512f", "without AVX2, without AVX-512")]
        {
            let processor = format!("model name\t: Some CPU\nflags\t\t: fpu {flags}\n");
            let machine = Machine::read(&processor, "MemTotal:       25165824 kB\n", 2);
            assert_eq!(machine.describe(), format!("Some CPU, 2 cores, {described}, 24 GiB of memory."));
        }
    }
}
