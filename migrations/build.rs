//! The migrations are in the program, and a new one is no change of its source.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
