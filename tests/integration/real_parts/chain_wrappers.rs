//! A wrapper in Python that starts the runtime as a child.

use crate::chain_wrappers::starts_the_runtime_as_a_child;

#[test]
fn python_wrapper_that_starts_the_runtime_as_a_child_works() {
    starts_the_runtime_as_a_child(
        "#!/usr/bin/env python3\nimport subprocess, sys\nstatus = subprocess.call(sys.argv[1:] + \
         ['--child'])\nopen('log', 'a').write('over\\n')\nsys.exit(status)\n",
    );
}
