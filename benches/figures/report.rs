//! What was measured, and the table that tells it.

use std::time::{Duration, Instant};

/// When a load is measured: what began before `from` warmed up.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    from: Instant,
    until: Instant,
}

/// How long each of many calls took, in microseconds.
#[derive(Default)]
pub(crate) struct Tally {
    took_us: Vec<u32>,
    window_s: f64,
}

/// One line of the table.
struct Line {
    figure: String,
    measured: String,
    compared: String,
    ratio: String,
    required: String,
}

/// The table.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

/// What a ratio or a value must be.
#[derive(Clone, Copy)]
pub(crate) enum Required {
    AtLeast(f64),
    AtMost(f64),
}

impl Window {
    pub(crate) fn starting_now(warm_up: Duration, measured: Duration) -> Self {
        let from = Instant::now() + warm_up;
        Self { from, until: from + measured }
    }

    pub(crate) fn is_open(&self) -> bool {
        Instant::now() < self.until
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally { took_us: Vec::new(), window_s: (self.until - self.from).as_secs_f64() }
    }
}

impl Tally {
    /// Of calls that were timed elsewhere.
    pub(crate) fn of(took: impl IntoIterator<Item = Duration>) -> Self {
        let us = |took: Duration| u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        Self { took_us: took.into_iter().map(us).collect(), window_s: f64::NAN }
    }

    /// Counts a call that has just ended, if it lies in the window.
    pub(crate) fn note(&mut self, window: &Window, begin: Instant) {
        let end = Instant::now();
        if begin >= window.from && end <= window.until {
            self.took_us.push(u32::try_from((end - begin).as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// Adds the calls of another caller in the same window.
    pub(crate) fn add(&mut self, other: Self) {
        self.window_s = self.window_s.max(other.window_s);
        self.took_us.extend(other.took_us);
    }

    /// Adds the calls of another window.
    pub(crate) fn append(&mut self, other: Self) {
        self.window_s += other.window_s;
        self.took_us.extend(other.took_us);
    }

    pub(crate) fn count(&self) -> usize {
        self.took_us.len()
    }

    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        self.took_us.len() as f64 / self.window_s
    }

    /// The time within which this share of the calls ended, in milliseconds.
    pub(crate) fn within_ms(&mut self, share: f64) -> f64 {
        self.took_us.sort_unstable();
        let place = (self.took_us.len() as f64 * share).ceil() as usize;
        self.took_us.get(place.saturating_sub(1)).map_or(f64::NAN, |us| f64::from(*us) / 1000.0)
    }

    /// `p50 1.2, p95 3.4, p99 5.6 ms`.
    pub(crate) fn percentiles(&mut self) -> String {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| self.within_ms(share));
        format!("p50 {p50:.1}, p95 {p95:.1}, p99 {p99:.1} ms")
    }
}

/// The middle one; robust against one bad round.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Report {
    /// A figure that is required to be in a relation to another one.
    pub(crate) fn compare(
        &mut self,
        figure: &str,
        measured: String,
        compared: String,
        ratio: f64,
        required: Required,
    ) {
        self.push(figure, measured, compared, format!("{ratio:.2}"), required.judge(ratio));
    }

    /// A figure that is required to be so much itself.
    pub(crate) fn require(&mut self, figure: &str, measured: String, value: f64, required: Required) {
        self.push(figure, measured, String::new(), String::new(), required.judge(value));
    }

    /// A figure that nothing is required of.
    pub(crate) fn tell(&mut self, figure: &str, measured: String) {
        self.push(figure, measured, String::new(), String::new(), String::new());
    }

    /// A figure beside another one, of which nothing is required.
    pub(crate) fn set_beside(&mut self, figure: &str, measured: String, compared: String, ratio: f64) {
        self.push(figure, measured, compared, format!("{ratio:.2}"), String::new());
    }

    fn push(&mut self, figure: &str, measured: String, compared: String, ratio: String, required: String) {
        eprintln!("  {figure}: {measured}{}{compared}", if compared.is_empty() { "" } else { " | " });
        self.lines.push(Line { figure: figure.into(), measured, compared, ratio, required });
    }

    pub(crate) fn print(&self) {
        if self.lines.is_empty() {
            return;
        }
        let head = ["figure", "measured", "beside", "ratio", "required"].map(String::from);
        let rows = self.lines.iter().map(|line| {
            [&line.figure, &line.measured, &line.compared, &line.ratio, &line.required].map(String::clone)
        });
        let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
        let mut widths = [0; 5];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        println!();
        for row in &rows {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("{}", cells.join("  ").trim_end());
        }
    }
}

impl Required {
    fn judge(self, value: f64) -> String {
        let (sign, bound, is_met) = match self {
            Self::AtLeast(bound) => (">=", bound, value >= bound),
            Self::AtMost(bound) => ("<=", bound, value <= bound),
        };
        format!("{sign} {bound} {}", if is_met { "met" } else { "missed" })
    }
}
