//! What is read and what is sent.

use super::*;
