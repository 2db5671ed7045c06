//! CPython: listed and generated command lines.

use super::RealInterpreter;

fn fixtures(test: &str) -> RealInterpreter {
    let code = |name: &str, code: bool| {
        let option = "str('foreword' in sys._xoptions).lower()";
        let first_line = if code { "" } else { "#\n" };
        format!("{first_line}import sys;print('took','{name}',{option},*sys.argv[1:],sep='\\x1f')")
    };
    let python = RealInterpreter::new("python3", test, code, &["-X", "foreword"]);
    python.script("a.py").script("-b.py").script("m.py")
}

#[test]
fn interpreter_takes_what_foreword_parses() {
    let python = fixtures("cases");
    let lines = "
        a.py
        a.py x -c y -- -m
        ./a.py -X dev
        -- a.py --
        -- -b.py x
        -b- a.py -x
        -u -- -b.py
        -
        - x -m a
        (none)
        -u
        -c {c}
        -c {c} x -m m
        -c {c} -- -x
        -c{c} -c
        -Bc {c} -B
        -Bc{c} x
        -Ic {c} x
        -m m
        -m m -- x
        -mm -X
        -Bm m -c
        -Bum m x
        -Bsmm x
        -W ignore a.py
        -Wignore a.py
        -X dev a.py x
        -Xdev a.py
        -BX dev a.py
        -BWm a.py
        -Wc a.py
        -X m a.py
        -W -c a.py
        --check-hash-based-pycs always a.py
        -B-check-hash-based-pycs never a.py
        -OO -q -u -bb a.py -h
        -x a.py
        -W error -X utf8 -X importtime -m m a.py
        -X importtime -- a.py";
    python.check_all(lines);
}

#[test]
fn interpreter_takes_what_foreword_parses_from_generated_lines() {
    let options = "-B | -b | -O | -q | -s | -u | -us | -X dev | -Xutf8 | -BX utf8 | -W ignore | \
                   -Wignore::UserWarning | -qW ignore | --check-hash-based-pycs default | -X m | \
                   -Xc";
    let entries = "a.py | ./a.py | -- a.py | -- -b.py | - | -m m | -mm | -um m | -umm | -c {c} | \
                   -c{c} | -Bc {c}";
    fixtures("random").check_generated(60, options, entries, "");
}
