//! The wrapper in Python in chains with all the others, which `chain` has without it.

use crate::chain::{
    IN_PYTHON, INSERTING, JAVA, Start, WRAPPERS, every_byte, fail_nested_by_hand,
    never_comes_back_beside, odd,
};

fn all() -> Vec<&'static str> {
    WRAPPERS.into_iter().chain([IN_PYTHON]).collect()
}

#[test]
fn a_wrapper_in_python_in_every_pair_and_order() {
    let start = Start::new(&JAVA, &[]);
    start.check(&[IN_PYTHON, IN_PYTHON]);
    for other in WRAPPERS {
        start.check(&[IN_PYTHON, other]);
        start.check(&[other, IN_PYTHON]);
    }
}

#[test]
fn a_wrapper_in_python_in_any_number_of_wrappers() {
    let start = Start::new(&JAVA, &[]);
    start.check(&[IN_PYTHON]);
    let mut all = all();
    start.check(&all);
    all.reverse();
    start.check(&all);
    let inserting = [&INSERTING[..1], &[IN_PYTHON], &INSERTING[1..]].concat();
    start.check(&[&inserting[..], &inserting, &inserting].concat());
}

#[test]
fn every_byte_survives_every_chain_with_a_wrapper_in_python() {
    odd().check(&[IN_PYTHON, IN_PYTHON]);
    odd().check(&all());
    every_byte().check(&["after_program.sh", IN_PYTHON]);
}

#[test]
fn nested_by_hand_a_wrapper_in_python_and_another_fail() {
    fail_nested_by_hand(IN_PYTHON, IN_PYTHON);
    for other in INSERTING {
        fail_nested_by_hand(IN_PYTHON, other);
        fail_nested_by_hand(other, IN_PYTHON);
    }
}

#[test]
fn a_wrapper_in_python_beside_one_that_never_comes_back() {
    never_comes_back_beside(IN_PYTHON);
}
