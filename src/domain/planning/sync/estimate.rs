//! How many requests a run takes, and when it will be through, told before it begins and corrected as it
//! goes.

use std::time::Duration;

/// Records of one page; Asana gives no more.
pub(super) const PAGE: u64 = 100;
/// What is assumed of a project that was never read: one page.
const TASKS_ASSUMED: u64 = 100;
/// What a request takes at Asana, roughly; nobody promises it.
const ANSWER: Duration = Duration::from_millis(300);

/// What is known of a run's size.
#[derive(Debug, Default, Clone)]
pub(super) struct Size {
    pub(super) users: u64,
    pub(super) projects: u64,
    /// Per project that is to be read, how many tasks it had last time; none if it never was read.
    pub(super) tasks: Vec<Option<u64>>,
    /// Asked one by one about their absences.
    pub(super) people: u64,
    /// Whose time entries are to be read.
    pub(super) tasks_with_new_hours: u64,
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
    /// Requests of the whole run.
    pub(super) fn requests(&self) -> u64 {
        let known: Vec<u64> = self.tasks.iter().flatten().copied().collect();
        let average = known.iter().sum::<u64>().checked_div(known.len() as u64).unwrap_or(TASKS_ASSUMED);
        // One for the place in the event stream, which is asked for before the first page.
        let of_project = |tasks: &Option<u64>| 1 + pages(tasks.unwrap_or(average));
        pages(self.users)
            + pages(self.projects)
            + self.tasks.iter().map(of_project).sum::<u64>()
            + self.people
            + self.tasks_with_new_hours
    }
}

/// Even nothing is asked for once.
pub(super) fn pages(records: u64) -> u64 {
    records.div_ceil(PAGE).max(1)
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

    #[test]
    fn a_thousand_tasks_of_a_project_take_eleven_requests() {
        let size = |tasks| Size { users: 3, projects: 1, tasks, ..Size::default() };

        assert_eq!(size(vec![Some(1_000)]).requests() - size(Vec::new()).requests(), 11);
    }

    #[test]
    fn a_project_that_was_never_read_is_taken_for_an_average_one() {
        let size = Size { tasks: vec![Some(1_000), Some(200), None], ..Size::default() };

        assert_eq!(size.requests(), 2 + 11 + 3 + 7);
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
    fn a_run_that_may_ask_nothing_never_ends() {
        assert_eq!(duration(185, Pace { per_second: 0.0, ..FREE }), Duration::MAX);
    }
}
