//! The wrapper in Python in chains with all the others, which `chain` has without it.

use crate::chain::{
    IN_PYTHON, INSERTING, JAVA, Start, WRAPPERS, every_byte, fail_nested_by_hand,
    never_comes_back_beside, odd,
};

fn all() -> Vec<&'static str> {
    WRAPPERS.into_iter().chain([IN_PYTHON]).collect()
}

#[test]
fn python_wrapper_in_every_pair_and_order_starts_the_runtime() {
    let start = Start::new(&JAVA, &[]);
    start.check(&[IN_PYTHON, IN_PYTHON]);
    for other in WRAPPERS {
        start.check(&[IN_PYTHON, other]);
        start.check(&[other, IN_PYTHON]);
    }
}

#[test]
fn python_wrapper_among_any_number_starts_the_runtime() {
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
fn every_byte_in_every_chain_with_a_python_wrapper_is_preserved() {
    odd().check(&[IN_PYTHON, IN_PYTHON]);
    odd().check(&all());
    every_byte().check(&["after_program.sh", IN_PYTHON]);
}

#[test]
fn python_wrapper_nested_by_hand_with_another_fails() {
    fail_nested_by_hand(IN_PYTHON, IN_PYTHON);
    for other in INSERTING {
        fail_nested_by_hand(IN_PYTHON, other);
        fail_nested_by_hand(other, IN_PYTHON);
    }
}

#[test]
fn python_wrapper_before_a_last_one_works() {
    never_comes_back_beside(IN_PYTHON);
}
