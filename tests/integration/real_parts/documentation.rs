//! Sessions in the documentation that run a real function.

use crate::documentation::{OF_REAL_FUNCTIONS, prints_what_it_shows};
use crate::support::Test;
use crate::support::timeline::with_python;

#[test]
fn every_console_session_of_a_real_function_prints_what_it_shows() {
    for page in OF_REAL_FUNCTIONS {
        prints_what_it_shows(page, with_python(Test::new()));
    }
}
