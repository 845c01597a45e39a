//! How much may vanish at once without anybody being asked. When much is gone, something else is wrong more
//! often than not: a permission, a filter, a project that was moved.

/// Fewer than this vanish without anybody being asked.
pub(super) const FEW: u64 = 10;

/// Whether `gone` of `known` records are more than a person wants to lose unasked. `share` is from 0 (any) to
/// 1 (never).
pub(super) fn are_too_many(gone: u64, known: u64, share: f64) -> bool {
    // Counts of records are far below the 2^52 that a double tells apart.
    gone >= FEW && gone as f64 > known as f64 * share.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};

    use super::*;

    #[test]
    fn more_than_the_share_is_too_many_and_the_share_itself_is_not() {
        assert!(!are_too_many(20, 100, 0.2));
        assert!(are_too_many(21, 100, 0.2));
    }

    #[test]
    fn a_few_vanish_unasked_even_if_they_are_all_there_was() {
        assert!(!are_too_many(9, 9, 0.2));
        assert!(are_too_many(10, 10, 0.2));
    }

    proptest! {
        #[test]
        fn more_that_is_gone_is_never_less_suspicious(
            gone in 0u64..5_000,
            more in 0u64..5_000,
            share in 0.0..1.0f64,
        ) {
            let known = gone + more + 1;
            prop_assert!(!are_too_many(gone, known, share) || are_too_many(gone + more, known, share));
        }
    }
}
