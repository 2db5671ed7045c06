// The functions for Node's runtime client; ../README.md describes what all of these functions do. A handler of Node's
// responds buffered or streamed, never both: `handler` is buffered, `streaming` is streamed.
import { appendFileSync } from "node:fs";

let invocations = 0;

function answer(event) {
    invocations += 1;
    appendFileSync(process.env.CLIENT_LOG, `invoke ${invocations}\n`);
    return event.big ? "x".repeat(6 * 1024 * 1024 - 2) : event;
}

export const handler = async (event) => answer(event);

export const streaming = awslambda.streamifyResponse(async (event, stream) => {
    const buffered = answer(event);
    if (event.stream) {
        for (const part of [1, 2, 3]) {
            await new Promise((written) => stream.write(`part ${part}\n`, written));
        }
    } else {
        stream.setContentType("application/json");
        stream.write(JSON.stringify(buffered));
    }
    stream.end();
    await new Promise((finished) => stream.on("finish", finished));
});
