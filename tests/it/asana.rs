//! Planning here and Asana, kept in step over real HTTP with the double.

mod runs;
