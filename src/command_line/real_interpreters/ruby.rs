//! Ruby: listed and generated command lines.

use super::RealInterpreter;

fn fixtures(test: &str) -> RealInterpreter {
    let code = |name: &str, _: bool| {
        format!("puts ['took','{name}',$foreword.inspect,*ARGV].join(\"\\x1f\")")
    };
    let ruby = RealInterpreter::new("ruby", test, code, &["-r", "./option.rb"]);
    ruby.script("a.rb").script("-b.rb").file("option.rb", "$foreword = true").file("preload.rb", "")
}

#[test]
fn interpreter_takes_what_foreword_parses() {
    let ruby = fixtures("cases");
    let lines = "
        a.rb
        a.rb x -e y -- -W0
        -W0 ./a.rb -w
        -- a.rb --
        -- -b.rb x
        -w- -b.rb x
        -
        - x -e
        (none)
        -W0
        -e {c}
        -e {c} x -e
        -e {c} -W0 x -e
        -e {c} -- -x --
        -e {c} --
        -e {c} - -x
        -e {c} ''
        -e {c} -W0 -e {d} x
        -e{c} -W0 -we{d} -w- -x
        -we {c} x
        -W0e {c} x
        -W2we{c} x
        -Kue {c} x
        -Ke a.rb
        -KeKe a.rb
        -0777le {c} x
        -0e {c} x
        -r ./preload.rb a.rb
        -r./preload.rb a.rb
        -wr ./preload.rb a.rb
        -I lib a.rb
        -Ilib a.rb x
        -C . a.rb
        -X . a.rb
        -E UTF-8 a.rb
        -EUTF-8:UTF-8 a.rb
        -F, a.rb
        -F a.rb
        -W:no-deprecated a.rb
        -W a.rb
        -W1 a.rb
        --enable gems a.rb
        --enable=gems a.rb
        --enable-gems a.rb x
        --disable did_you_mean a.rb
        --disable-did_you_mean a.rb
        --encoding UTF-8 a.rb
        --encoding=UTF-8 a.rb
        --external-encoding UTF-8 --internal-encoding UTF-8 a.rb
        --backtrace-limit 5 a.rb
        -w-enable gems a.rb
        -U -S ./a.rb x";
    ruby.check_all(lines);
}

#[test]
fn interpreter_takes_what_foreword_parses_from_generated_lines() {
    let options = "-w | -W0 | -W | -W:no-deprecated | -r ./preload.rb | -r./preload.rb | -wr \
                   ./preload.rb | -I lib | -Ilib | -C . | -F, | -U | -Ku | -0 | -l0777 | --enable \
                   gems | --disable=did_you_mean | --disable-error_highlight | --backtrace-limit \
                   5 | --backtrace-limit=5";
    let entries = "a.rb | ./a.rb | -- a.rb | -- -b.rb | -w- a.rb | -";
    let code = "-e {c} | -e{d} | -we {e} | -W0we{f} | -Kle {g}";
    fixtures("random").check_generated(60, options, entries, code);
}
