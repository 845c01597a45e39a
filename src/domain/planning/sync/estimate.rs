//! How many requests a run takes, and when it will be through, told before it begins and corrected as it
//! goes.

use std::{collections::HashMap, time::Duration};

use crate::ids::ProjectId;

/// Records of one page; Asana gives no more.
pub(super) const PAGE: u64 = 100;
/// What is assumed of a project that was never read: one page.
const TASKS_ASSUMED: u64 = 100;
/// What a request takes at Asana, roughly; nobody promises it.
const ANSWER: Duration = Duration::from_millis(300);

/// What is left of a run, as far as is known.
#[derive(Debug, Default, Clone)]
pub(super) struct Size {
    /// Of the workspace; none when they are read.
    pub(super) users: Option<u64>,
    /// Of the workspace; none when they are listed.
    pub(super) projects: Option<u64>,
    /// Of those whose tasks are read.
    pub(super) readings: HashMap<ProjectId, Reading>,
    /// Asked one by one about their absences.
    pub(super) people: u64,
    /// Whose time entries are to be read.
    pub(super) tasks_with_new_hours: u64,
}

/// How far the reading of a project is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// Tasks that it had last time; none if it never was read. Asana counts them only at a price beyond that
    /// of reading them (`/projects/{}/task_counts`, 2026-11).
    pub(super) known: Option<u64>,
    pub(super) is_begun: bool,
    /// Tasks read by now.
    pub(super) read: u64,
    /// Through, or found not to be readable.
    pub(super) is_done: bool,
}

/// What may be asked, and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Requests that may be made at once.
    pub(super) burst: f64,
    pub(super) per_second: f64,
    /// Requests under way together.
    pub(super) at_once: u32,
}

impl Size {
    /// Requests that are left.
    pub(super) fn requests(&self) -> u64 {
        let average = self.average();
        self.users.map_or(0, pages)
            + self.projects.map_or(0, pages)
            + self.readings.values().map(|reading| reading.requests(average)).sum::<u64>()
            + self.people
            + self.tasks_with_new_hours
    }

    /// Tasks, those that are read by now and those that were there last time.
    pub(super) fn tasks(&self) -> u64 {
        self.readings.values().map(Reading::tasks).sum()
    }

    /// Projects that are through.
    pub(super) fn done(&self) -> u64 {
        self.readings.values().filter(|reading| reading.is_done).count() as u64
    }

    fn average(&self) -> u64 {
        let is_known = |reading: &&Reading| reading.is_done || reading.known.is_some();
        let known: Vec<u64> = self.readings.values().filter(is_known).map(Reading::tasks).collect();
        known.iter().sum::<u64>().checked_div(known.len() as u64).unwrap_or(TASKS_ASSUMED)
    }
}

impl Reading {
    fn tasks(&self) -> u64 {
        if self.is_done { self.read } else { self.known.unwrap_or_default().max(self.read) }
    }

    fn requests(&self, average: u64) -> u64 {
        // Nobody knows the end of what has no known size: as much again is wrong by a factor of two at most.
        let tasks = self.known.unwrap_or_else(|| average.max(2 * self.read));
        match self {
            Self { is_done: true, .. } => 0,
            // One for the place in the event stream, which is asked for before the first page.
            Self { is_begun: false, .. } => 1 + pages(tasks),
            Self { read, .. } => pages(tasks.saturating_sub(*read)),
        }
    }
}

/// Even nothing is asked for once.
pub(super) fn pages(records: u64) -> u64 {
    records.div_ceil(PAGE).max(1)
}

impl Pace {
    /// After so many requests.
    pub(super) fn after(self, requests: u64) -> Self {
        Self { burst: (self.burst - requests as f64).max(0.0), ..self }
    }
}

/// How long so many requests take: as fast as answers come, but no faster than may be asked.
pub(super) fn duration(requests: u64, pace: Pace) -> Duration {
    let answers = ANSWER.as_secs_f64() * requests as f64 / f64::from(pace.at_once.max(1));
    let beyond_burst = (requests as f64 - pace.burst).max(0.0);
    let allowed = beyond_burst / pace.per_second.max(f64::MIN_POSITIVE);
    // A pace of nothing takes as long as can be told.
    Duration::try_from_secs_f64(answers.max(allowed)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Pace = Pace { burst: 60.0, per_second: 1.25, at_once: 4 };

    fn size(readings: &[Reading]) -> Size {
        Size {
            users: Some(3),
            projects: Some(1),
            readings: readings.iter().map(|one| (ProjectId::new(), *one)).collect(),
            ..Size::default()
        }
    }

    fn known(tasks: u64) -> Reading {
        Reading { known: Some(tasks), ..Reading::default() }
    }

    #[test]
    fn a_thousand_tasks_of_a_project_take_eleven_requests() {
        assert_eq!(size(&[known(1_000)]).requests() - size(&[]).requests(), 11);
    }

    #[test]
    fn a_project_that_was_never_read_is_taken_for_an_average_one() {
        let size = size(&[known(1_000), known(200), Reading::default()]);

        assert_eq!((size.requests(), size.tasks()), (2 + 11 + 3 + 7, 1_200));
    }

    #[test]
    fn what_was_read_counts_no_more_and_tells_how_large_the_others_may_be() {
        let through = Reading { read: 500, is_begun: true, is_done: true, ..Reading::default() };
        let half = Reading { read: 400, is_begun: true, ..known(1_000) };

        assert_eq!(size(&[through, Reading::default()]).requests(), 2 + 6);
        assert_eq!(size(&[half]).requests(), 2 + 6);
        assert_eq!((size(&[through, half]).tasks(), size(&[through, half]).done()), (1_500, 1));
    }

    #[test]
    fn a_project_that_goes_on_beyond_what_was_thought_is_never_taken_for_read() {
        let unknown = Reading { read: 700, is_begun: true, ..Reading::default() };
        let grown = Reading { read: 700, is_begun: true, ..known(650) };

        assert_eq!((size(&[unknown]).requests(), size(&[grown]).requests()), (2 + 7, 2 + 1));
    }

    #[test]
    fn what_fits_into_the_burst_takes_as_long_as_the_answers() {
        assert_eq!(duration(40, FREE), Duration::from_secs(3));
    }

    #[test]
    fn what_goes_beyond_waits_for_the_budget() {
        assert_eq!(duration(185, FREE), Duration::from_secs(100));
    }

    #[test]
    fn what_was_asked_has_used_up_the_burst() {
        assert_eq!(duration(125, FREE.after(1_000)), Duration::from_secs(100));
    }

    #[test]
    fn a_run_that_may_ask_nothing_never_ends() {
        assert_eq!(duration(185, Pace { per_second: 0.0, ..FREE }), Duration::MAX);
    }
}
