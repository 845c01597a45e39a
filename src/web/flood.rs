//! Sheds floods per sender, before anything is read or looked up. Local and rough on purpose: the limit that
//! counts is in the database and sees authentic deliveries only.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::peer::household;

/// Senders counted one by one; those beyond share one allowance, so that no crowd grows our memory.
const SENDERS: usize = 10_000;

/// Counts per sender in windows of fixed length.
pub struct FloodLimit {
    /// Per sender and window; 0 switches the limit off.
    limit: u32,
    window: Duration,
    state: Mutex<State>,
}

struct State {
    window_start: Instant,
    counts: HashMap<IpAddr, u32>,
    others: u32,
}

impl FloodLimit {
    pub fn new(limit: u32, window: Duration, now: Instant) -> Self {
        let state = State { window_start: now, counts: HashMap::new(), others: 0 };
        Self { limit, window, state: Mutex::new(state) }
    }

    /// Counts one delivery. `Err` says how long to wait.
    pub fn admit(&self, sender: IpAddr, now: Instant) -> Result<(), Duration> {
        if self.limit == 0 {
            return Ok(());
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.saturating_duration_since(state.window_start);
        if age >= self.window {
            *state = State { window_start: now, counts: HashMap::new(), others: 0 };
        }
        let count = state.count(household(sender));
        *count = count.saturating_add(1);
        if *count <= self.limit { Ok(()) } else { Err(self.window.saturating_sub(age)) }
    }
}

impl State {
    fn count(&mut self, sender: IpAddr) -> &mut u32 {
        if self.counts.len() >= SENDERS && !self.counts.contains_key(&sender) {
            return &mut self.others;
        }
        self.counts.entry(sender).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_sender_is_refused_beyond_its_limit_until_the_window_ends() {
        let start = Instant::now();
        let flood = FloodLimit::new(2, WINDOW, start);
        let at = |ms| flood.admit(v4(1), start + Duration::from_millis(ms));

        assert_eq!([at(0), at(1000)], [Ok(()), Ok(())]);
        assert_eq!(at(4000), Err(Duration::from_secs(6)));
        assert_eq!(flood.admit(v4(2), start), Ok(()));
        assert_eq!(at(10_000), Ok(()));
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        let now = Instant::now();
        let flood = FloodLimit::new(0, WINDOW, now);

        assert!((0..10_000).all(|_| flood.admit(v4(1), now).is_ok()));
    }

    #[test]
    fn an_ipv6_network_is_one_sender() {
        let now = Instant::now();
        let flood = FloodLimit::new(1, WINDOW, now);
        let admit = |text: &str| flood.admit(text.parse().unwrap(), now).is_ok();

        assert!(admit("2001:db8:0:1::1"));
        assert!(!admit("2001:db8:0:1:ffff::2"));
        assert!(admit("2001:db8:0:2::1"));
    }

    #[test]
    fn a_crowd_shares_what_is_left_and_the_map_stays_bounded() {
        let now = Instant::now();
        let flood = FloodLimit::new(1, WINDOW, now);

        let admitted = (0..20_000).filter(|number| flood.admit(v4(*number), now).is_ok()).count();

        assert_eq!(admitted, SENDERS + 1);
        assert_eq!(flood.state.lock().unwrap().counts.len(), SENDERS);
    }
}
