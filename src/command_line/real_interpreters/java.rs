//! Java: listed and generated command lines.

use super::RealInterpreter;

fn fixtures(test: &str) -> RealInterpreter {
    let code = |name: &str, _: bool| {
        let class = name.rsplit('.').next().unwrap_or(name);
        let option = "System.getProperty(\"foreword\") != null";
        format!(
            "public class {class} {{ public static void main(String[] arguments) {{ \
             System.out.println(String.join(\"\\u001f\", \"took\", \"{name}\", \"\" + ({option})) \
             + (arguments.length > 0 ? \"\\u001f\" : \"\") + String.join(\"\\u001f\", \
             arguments)); }} }}"
        )
    };
    let module = format!("package fixture; {}", code("fixture.C", true));
    RealInterpreter::new("java", test, code, &["-Dforeword=true"])
        .script("A.java")
        .script("B.java")
        .file("module/module-info.java", "module fixture {}")
        .file("module/fixture/C.java", &module)
        .run_tool("javac -d classes A.java B.java")
        .run_tool("javac -d modules module/module-info.java module/fixture/C.java")
        .run_tool("jar --create --file B.jar --main-class B -C classes .")
        .file("options", "-Xshare:auto -Dx=y # comment\n-Xmx64m\n")
        .file("ends-with-cp", "-Xmx64m -cp")
        .file("value", "classes")
        .file("value-and-entry", "classes A x @y\n")
        .file(
            "entry",
            "-cp \"classes\"\n'A' one \"two words\" '' \"a\\tb\\\\\\\n   c\" d\\e @f \"\"",
        )
        .file("quotes", "-cp cla'ss'\"es\" A 'open\nquote' x#dropped\n\"kept\"#dropped\n y")
        .file("jar", "-Xmx64m\n-jar\n")
        .file("at", "-cp @classes:classes A\n")
}

#[test]
fn interpreter_takes_what_foreword_parses() {
    let java = fixtures("cases");
    let lines = "
        -cp classes A
        -Xmx64m -classpath classes A x -cp -jar -- @options @@x
        --class-path classes -Dx=y A ''
        --class-path=classes A -Dforeword=true
        -jar B.jar
        -jar -Xmx64m -Dx=y B.jar -jar x
        -p modules -m fixture/fixture.C x -m
        --module-path=modules --module fixture/fixture.C x
        -p modules --module=fixture/fixture.C -x
        --add-opens java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED -cp \
                 classes A
        --add-modules java.logging --enable-native-access ALL-UNNAMED -cp classes A
        A.java x
        --source 17 A.java x
        --source=17 A.java -x
        @options -cp classes A x
        -cp classes @options A @options
        @ends-with-cp classes A x
        @ends-with-cp @value A x
        -cp @value A x
        -cp @value-and-entry @z
        @entry @options
        @options @entry x
        @quotes
        @jar B.jar x
        @jar @options B.jar @options
        @at x
        -cp @@value:classes A @@x
        -XX:+UseSerialGC -Xshare:auto -XX:-TieredCompilation -Djava.net.preferIPv4Stack=true \
                 -classpath classes A p.C::m";
    java.check_all(lines);
}

#[test]
fn interpreter_takes_what_foreword_parses_from_generated_lines() {
    let options = "-Xmx64m | -Dx=y | -Xshare:auto | @options | --add-opens \
                   java.base/java.lang=ALL-UNNAMED | --add-opens=java.base/java.io=ALL-UNNAMED | \
                   --add-modules java.logging | -cp classes";
    let entries =
        "-cp classes A | -jar B.jar | -jar -Xmx64m B.jar | @entry | @ends-with-cp @value-and-entry";
    fixtures("random").check_generated(15, options, entries, "");
}
