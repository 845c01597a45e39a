//! How much of what is sent to a listener is in memory at once. Nobody is known by then: whoever finds the
//! listener may begin a body and say nothing more.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::peer::household;

/// The memory for bodies. A sender gets a quarter of it, so that one alone does not keep the others out.
pub struct Bodies {
    bytes_at_most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    all_bytes: usize,
    /// Those who hold any.
    bytes_of: HashMap<IpAddr, usize>,
}

/// What one body takes, until it is dropped.
pub struct Held<'a> {
    bodies: &'a Bodies,
    sender: IpAddr,
    bytes: usize,
}

impl Bodies {
    pub fn new(bytes_at_most: usize) -> Self {
        Self { bytes_at_most, state: Mutex::default() }
    }

    /// Nothing yet, for a body of this sender's.
    pub fn hold(&self, sender: IpAddr) -> Held<'_> {
        Held { bodies: self, sender: household(sender), bytes: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is two sums, so there is no half-made state to fear after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Takes so many bytes more. False: there are none for this sender now.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let mut state = self.bodies.state();
        let all = state.all_bytes.saturating_add(bytes);
        let theirs = state.bytes_of.get(&self.sender).copied().unwrap_or_default().saturating_add(bytes);
        if all > self.bodies.bytes_at_most || theirs > self.bodies.bytes_at_most / 4 {
            return false;
        }
        state.all_bytes = all;
        state.bytes_of.insert(self.sender, theirs);
        self.bytes += bytes;
        true
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.bodies.state();
        state.all_bytes -= self.bytes;
        if let Some(theirs) = state.bytes_of.get_mut(&self.sender) {
            *theirs -= self.bytes;
            if *theirs == 0 {
                state.bytes_of.remove(&self.sender);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_sender_gets_a_quarter_and_all_together_what_there_is() {
        let bodies = Bodies::new(100);
        let mut held: Vec<Held<'_>> = (0..5).map(|sender| bodies.hold(v4(sender))).collect();

        let of_one = [held[0].grow(20), held[0].grow(6), held[0].grow(5), bodies.hold(v4(0)).grow(1)];
        let others = [held[1].grow(25), held[2].grow(25), held[3].grow(25)];

        assert_eq!((of_one, others), ([true, false, true, false], [true; 3]));
        assert!(!held[4].grow(1));
        held.remove(1);
        assert!(held[3].grow(25));
    }

    #[test]
    fn what_is_let_go_leaves_nothing_behind() {
        let bodies = Bodies::new(100);
        let mut held = bodies.hold("2001:db8::1".parse().unwrap());
        assert!(held.grow(10) && held.grow(0));

        drop(held);

        let state = bodies.state();
        assert!(state.all_bytes == 0 && state.bytes_of.is_empty());
    }
}
