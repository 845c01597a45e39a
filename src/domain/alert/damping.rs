//! When an alert begins, goes on and ends: not at the first look, and not over and over.

use chrono::{DateTime, TimeDelta, Utc};

use super::notice::Told;
use crate::{
    ids::{AlertId, IntegrationId},
    store::alert::Alert,
    words::{AlertRule, AlertState},
};

/// Looks in a row that must agree before anybody is told.
const LOOKS: i32 = 2;
/// How long it takes until somebody is told again of what goes on.
const REMIND: TimeDelta = TimeDelta::hours(4);

/// What a look saw of one rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    pub(super) rule: AlertRule,
    pub(super) integration: Option<IntegrationId>,
    pub(super) value: f64,
    pub(super) threshold: f64,
    pub(super) is_broken: bool,
}

/// What becomes of a rule's alert, and what is to be told of it.
#[derive(Debug, PartialEq)]
pub(super) struct Fate {
    /// Absent when there is nothing to write.
    pub(super) alert: Option<Row>,
    pub(super) told: Option<Told>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Row {
    New(Alert),
    Changed(Alert),
    /// Nobody was told of it.
    Forgotten(Alert),
}

impl Reading {
    pub(super) fn is_about(&self, alert: &Alert) -> bool {
        (self.rule, self.integration) == (alert.rule, alert.integration_id)
    }

    /// Of what is no longer there.
    pub(super) fn gone(alert: &Alert) -> Self {
        let Alert { rule, integration_id: integration, value, threshold, .. } = *alert;
        Self { rule, integration, value, threshold, is_broken: false }
    }
}

impl Row {
    pub(super) fn alert(&self) -> &Alert {
        match self {
            Self::New(alert) | Self::Changed(alert) | Self::Forgotten(alert) => alert,
        }
    }
}

/// What follows from a look; `known` is the rule's alert that has not ended.
pub(super) fn next(known: Option<Alert>, seen: &Reading, now: DateTime<Utc>) -> Fate {
    let Some(known) = known else {
        let alert = seen.is_broken.then(|| Row::New(first(seen, now)));
        return Fate { alert, told: None };
    };
    let mut alert = Alert { value: seen.value, threshold: seen.threshold, ..known };
    let speaks_against = match alert.state {
        AlertState::Pending => seen.is_broken,
        AlertState::Firing => !seen.is_broken,
        AlertState::Ended => false,
    };
    alert.pending_checks = if speaks_against { alert.pending_checks + 1 } else { 0 };
    let is_enough = alert.pending_checks >= LOOKS;
    let told = match alert.state {
        AlertState::Pending if !seen.is_broken => {
            return Fate { alert: Some(Row::Forgotten(alert)), told: None };
        }
        AlertState::Pending if is_enough => {
            alert.state = AlertState::Firing;
            Some(Told::Firing)
        }
        AlertState::Firing if is_enough => {
            alert.state = AlertState::Ended;
            alert.end_time = Some(now);
            Some(Told::Ended)
        }
        AlertState::Firing if seen.is_broken && is_long_ago(alert.notify_time, now) => Some(Told::Firing),
        AlertState::Pending | AlertState::Firing | AlertState::Ended => None,
    };
    if told.is_some() {
        alert.pending_checks = 0;
        alert.notify_time = Some(now);
    }
    Fate { alert: Some(Row::Changed(alert)), told }
}

fn first(seen: &Reading, now: DateTime<Utc>) -> Alert {
    Alert {
        id: AlertId::new(),
        rule: seen.rule,
        integration_id: seen.integration,
        state: AlertState::Pending,
        value: seen.value,
        threshold: seen.threshold,
        pending_checks: 1,
        begin_time: now,
        notify_time: None,
        end_time: None,
    }
}

fn is_long_ago(notify_time: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    notify_time.is_none_or(|told| now - told >= REMIND)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is told, look by look, a minute apart.
    fn told(looks: &[bool]) -> Vec<Option<Told>> {
        told_every(TimeDelta::minutes(1), looks).into_iter().map(|(told, _)| told).collect()
    }

    fn told_every(pace: TimeDelta, looks: &[bool]) -> Vec<(Option<Told>, Option<Alert>)> {
        let mut now: DateTime<Utc> = "2028-02-29T12:00:00Z".parse().unwrap();
        let mut known: Option<Alert> = None;
        let mut all = Vec::new();
        for is_broken in looks {
            now += pace;
            let value = if *is_broken { 7.0 } else { 3.0 };
            let seen = Reading {
                rule: AlertRule::Failures,
                integration: None,
                value,
                threshold: 5.0,
                is_broken: *is_broken,
            };
            let fate = next(known.take(), &seen, now);
            known = match fate.alert {
                Some(Row::New(alert) | Row::Changed(alert)) => Some(alert),
                Some(Row::Forgotten(_)) | None => None,
            };
            all.push((fate.told, known.clone()));
            known = known.filter(|alert| alert.state != AlertState::Ended);
        }
        all
    }

    #[test]
    fn two_looks_in_a_row_begin_an_alert_and_two_end_it() {
        let told = told(&[true, true, true, false, false, false]);

        assert_eq!(told, [None, Some(Told::Firing), None, None, Some(Told::Ended), None]);
    }

    #[test]
    fn what_comes_and_goes_with_every_look_is_told_to_nobody() {
        assert_eq!(told(&[true, false, true, false, true, false, true]), [None; 7]);
    }

    #[test]
    fn what_fires_and_comes_and_goes_with_every_look_goes_on() {
        let told = told(&[true, true, false, true, false, true, false, true]);

        assert_eq!(told, [None, Some(Told::Firing), None, None, None, None, None, None]);
    }

    #[test]
    fn what_goes_on_is_told_again_every_4_hours() {
        let told = told(&[true; 2 + 2 * 240]);

        let at: Vec<usize> = told.iter().enumerate().filter_map(|(at, told)| told.map(|_| at)).collect();
        assert_eq!(at, [1, 241, 481]);
    }

    #[test]
    fn an_alert_says_since_when_it_is_and_how_bad_it_was_last() {
        let looks = told_every(TimeDelta::minutes(1), &[true, true, false, false]);

        let (_, ended) = looks.last().unwrap();
        let ended = ended.as_ref().unwrap();
        let first: DateTime<Utc> = "2028-02-29T12:01:00Z".parse().unwrap();
        assert_eq!((ended.begin_time, ended.end_time), (first, Some(first + TimeDelta::minutes(3))));
        assert_eq!((ended.value, ended.threshold), (3.0, 5.0));
    }

    proptest! {
        #[test]
        fn begin_and_end_take_turns_and_each_needs_two_looks(
            looks in prop::collection::vec(any::<bool>(), 0..60),
        ) {
            let told = told(&looks);

            let mut is_firing = false;
            for (at, told) in told.into_iter().enumerate().filter_map(|(at, told)| Some((at, told?))) {
                prop_assert_eq!(told == Told::Ended, is_firing);
                prop_assert_eq!(&looks[at - 1..=at], &[!is_firing, !is_firing]);
                is_firing = !is_firing;
            }
        }
    }
}
