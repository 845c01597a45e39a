//! Planning here and Asana, kept in step over real HTTP with the double.

mod absences;
mod budgets;
mod gone;
mod hours;
mod merging;
mod polls;
mod progress;
mod runs;
mod shapes;
mod status;
mod writes;
