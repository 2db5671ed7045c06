"""The server of the tests: moto with its authentication switched on, and doors to it.

Each door is a port with TLS, whose certificate a CA made here has signed. A door passes requests on
to moto and plays one fault of networks and of AWS that moto does not have. Every door also refuses
what AWS refuses and moto does not know: a clock that is off, and parameters and secrets whose name
says that they are denied. One line of JSON on standard output says where everything is; the server
ends when its standard input does.
"""

import datetime
import http.client
import ipaddress
import json
import os
import re
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "inf"

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import settings
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

ACCOUNT = "123456789012"
HOSTS = [
    "localhost",
    "*.amazonaws.com",
    "*.us-east-1.amazonaws.com",
    "*.eu-west-1.amazonaws.com",
    "*.us-gov-west-1.amazonaws.com",
    "*.cn-north-1.amazonaws.com.cn",
    "*.us-iso-east-1.c2s.ic.gov",
    "*.us-east-1.api.aws",
]
JSON_TYPE = "application/x-amz-json-1.1"


# Certificates

def key_and_certificate(name, issuer=None, issuer_key=None):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        names = [x509.DNSName(host) for host in HOSTS]
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return key, builder.sign(issuer_key or key, hashes.SHA256())


def tls(folder):
    ca_key, ca = key_and_certificate("the CA of the tests")
    key, certificate = key_and_certificate("the server of the tests", ca.subject, ca_key)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


# HTTP, as much of it as a door needs

class Closed(Exception):
    pass


def read_until(connection, buffer, end):
    while end not in buffer:
        data = connection.recv(65536)
        if not data:
            raise Closed
        buffer += data
    head, _, rest = bytes(buffer).partition(end)
    return head, bytearray(rest)


def read_request(connection, buffer):
    head, buffer = read_until(connection, buffer, b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
    by_name = {name.lower(): value for name, value in headers}
    length = int(by_name.get("content-length", "0"))
    while len(buffer) < length:
        data = connection.recv(65536)
        if not data:
            raise Closed
        buffer += data
    method, target, _ = first.split(" ")
    body, rest = bytes(buffer[:length]), bytearray(buffer[length:])
    return {"method": method, "target": target, "headers": headers, "by_name": by_name, "body": body}, rest


def response(status, body, kind=JSON_TYPE, clock=0.0):
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + clock))
    head = f"HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nDate: {date}\r\n\r\n"
    return head.encode() + body


def error(status, code, message, **others):
    return response(status, json.dumps({"__type": code, "message": message}).encode(), **others)


# What AWS refuses and moto does not

def operation(request):
    return request["by_name"].get("x-amz-target", "").rpartition(".")[2]


def identifiers(request):
    body = json.loads(request["body"] or b"{}")
    one = [body[key] for key in ("SecretId", "Path") if key in body]
    return one + body.get("Names", []) + body.get("SecretIdList", [])


def denied(request):
    """AWS's answer when a request names something under a name that is denied."""
    scope = re.search("Credential=[^/]+/[^/]+/([^/]+)/([^/]+)/", request["by_name"].get("authorization", ""))
    if not scope:
        return None
    region, service = scope.groups()
    action = f"{service}:{operation(request)}"
    for name in identifiers(request):
        user = f"arn:aws:sts::{ACCOUNT}:assumed-role/orders/orders"
        if "kms-denied" in name:
            key = f"arn:aws:kms:{region}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
            return error(
                400,
                "AccessDeniedException",
                f"User: {user} is not authorized to perform: kms:Decrypt on resource: {key} because no identity-based "
                "policy allows the kms:Decrypt action (Service: AWSKMS; Status Code: 400; Request ID: x; Proxy: null)",
            )
        # Secrets Manager says what it was asked for.
        resource = f"arn:aws:{service}:{region}:{ACCOUNT}:parameter{name}" if service == "ssm" else name
        if "key-denied" in name:
            text = (
                "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
                "or you are not allowed to access."
            )
            return error(400, "AccessDeniedException", text if service == "ssm" else "Access to KMS is not allowed")
        if "denied" in name and operation(request) != "BatchGetSecretValue":
            return error(
                400,
                "AccessDeniedException",
                f"User: {user} is not authorized to perform: {action} on resource: {resource} "
                f"because no identity-based policy allows the {action} action",
            )
    return None


def without_denied(body):
    """AWS's answer to a batch has an error in the place of each secret that is denied."""
    answer = json.loads(body)
    taken = [secret for secret in answer["SecretValues"] if "denied" in secret["Name"]]
    answer["SecretValues"] = [secret for secret in answer["SecretValues"] if secret not in taken]
    answer["Errors"] += [
        {"SecretId": secret["Name"], "ErrorCode": "AccessDeniedException", "Message": "denied"} for secret in taken
    ]
    return json.dumps(answer).encode()


def clock_refuses(request, clock):
    stamp = request["by_name"].get("x-amz-date")
    if stamp is None:
        return None
    signed = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=clock)
    if abs((now - signed).total_seconds()) <= 300:
        return None
    text = f"Signature expired: {stamp} is now earlier than {(now - datetime.timedelta(minutes=5)):%Y%m%dT%H%M%SZ} ({now:%Y%m%dT%H%M%SZ} - 5 min.)"
    return error(400, "InvalidSignatureException", text, clock=clock)


def as_json(status, body):
    """moto answers with XML where IAM refuses; AWS with JSON."""
    code = re.search(b"<Code>(.*?)</Code>", body)
    message = re.search(b"<Message>(.*?)</Message>", body)
    codes = {"InvalidClientTokenId": "UnrecognizedClientException", "SignatureDoesNotMatch": "InvalidSignatureException"}
    code = code.group(1).decode()
    code = codes.get(code, code + "Exception" * (code == "AccessDenied"))
    text = message.group(1).decode()
    if code == "InvalidSignatureException":
        # What AWS adds quotes the whole request, with the session's token.
        text += "\n\nThe Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:QUOTED-TOKEN\n'"
    return json.dumps({"__type": code, "message": text}).encode()


class Doors:
    def __init__(self, moto_port, context):
        self.moto_port = moto_port
        self.context = context
        self.log = []
        self.ports = {}
        self.lock = threading.Lock()
        self.seen = {}

    def open(self, name, act):
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.ports[name] = listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(listener, name, act), daemon=True).start()

    def accept(self, listener, name, act):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.serve, args=(connection, name, act), daemon=True).start()

    def serve(self, connection, name, act):
        try:
            if name == "no-tls":
                time.sleep(60)
            secure = self.context.wrap_socket(connection, server_side=True)
            self.requests(secure, name, act)
        except (Closed, OSError):
            pass
        finally:
            connection.close()

    def requests(self, connection, name, act):
        buffer = bytearray()
        while True:
            request, buffer = read_request(connection, buffer)
            with self.lock:
                self.log.append(
                    {
                        "door": name,
                        "operation": operation(request),
                        "identifiers": identifiers(request),
                        "host": request["by_name"].get("host"),
                    }
                )
                count = self.seen[name] = self.seen.get(name, 0) + 1
            act(self, connection, request, count)

    def forward(self, request, clock=0.0):
        refused = clock_refuses(request, clock) or denied(request)
        if refused:
            return refused
        moto = http.client.HTTPConnection("127.0.0.1", self.moto_port)
        moto.putrequest(request["method"], request["target"], skip_host=True, skip_accept_encoding=True)
        for name, value in request["headers"]:
            moto.putheader(name, value)
        moto.endheaders(request["body"])
        answer = moto.getresponse()
        body = answer.read()
        moto.close()
        if operation(request) == "BatchGetSecretValue" and answer.status == 200:
            body = without_denied(body)
        if body.startswith(b"<?xml"):
            body = as_json(answer.status, body)
            return response(400, body)
        return response(answer.status, body, clock=clock)


def through(doors, connection, request, _):
    connection.sendall(doors.forward(request))


def throttle(doors, connection, request, _):
    connection.sendall(error(400, "ThrottlingException", "Rate exceeded"))


def unavailable(doors, connection, request, _):
    connection.sendall(error(503, "ServiceUnavailable", "Service Unavailable"))


def internal(doors, connection, request, _):
    connection.sendall(error(500, "InternalServerError", "An error occurred on the server side."))


def throttle_batches(doors, connection, request, count):
    (throttle if operation(request) == "BatchGetSecretValue" else through)(doors, connection, request, count)


def first(fault):
    def act(doors, connection, request, count):
        (fault if count == 1 else through)(doors, connection, request, count)

    return act


def expired(doors, connection, request, _):
    connection.sendall(error(400, "ExpiredTokenException", "The security token included in the request is expired"))


def late(doors, connection, request, _):
    connection.sendall(doors.forward(request, clock=3600.0))


def refuses_any_clock(doors, connection, request, _):
    connection.sendall(clock_refuses({"by_name": {"x-amz-date": "20200101T000000Z"}}, 0.0))


def hang(doors, connection, request, _):
    time.sleep(60)


def reset(doors, connection, request, _):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
    raise Closed


def dribble(doors, connection, request, _):
    for byte in doors.forward(request):
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def cut(doors, connection, request, _):
    connection.sendall(doors.forward(request)[:-10])
    raise Closed


def page(doors, connection, request, _):
    connection.sendall(response(200, b"<html>Sign in to the network</html>", kind="text/html"))


FAULTS = {
    "plain": through,
    # Their requests are counted, so that each is one test's.
    "tens": through,
    "twenties": through,
    "pages": through,
    "twice": through,
    "fields": through,
    "throttle": throttle,
    "throttle-once": first(throttle),
    "throttle-batches": throttle_batches,
    "unavailable": unavailable,
    "unavailable-once": first(unavailable),
    "internal": internal,
    "expired": expired,
    "late": late,
    "clock": refuses_any_clock,
    "hang": hang,
    "hang-once": first(hang),
    "hang-long": hang,
    "hang-process": hang,
    "no-tls": through,
    "reset": reset,
    "reset-once": first(reset),
    "dribble": dribble,
    "cut": cut,
    "page": page,
}


# A proxy for CONNECT, which sends every host to the plain door

def proxy(doors):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def serve(connection):
        try:
            head, _ = read_until(connection, bytearray(), b"\r\n\r\n")
        except (Closed, OSError):
            return
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        with doors.lock:
            doors.log.append({"door": "proxy", "operation": method, "identifiers": [], "host": target})
        upstream = socket.create_connection(("127.0.0.1", doors.ports["plain"]))
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        threading.Thread(target=copy, args=(upstream, connection), daemon=True).start()
        copy(connection, upstream)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def never_accepts():
    """A port whose queue is full, so that nobody gets a connection."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    never_accepts.kept = [listener]
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        try:
            filler.connect(listener.getsockname())
        except BlockingIOError:
            pass
        never_accepts.kept.append(filler)
    return listener.getsockname()[1]


# Credentials, as Lambda and ECS hand them out, and what the tests ask the server itself

class Control:
    """GET /log, and GET /credentials with the token that POST /token said last."""

    def __init__(self, doors, role, sts):
        self.doors, self.role, self.sts = doors, role, sts
        self.token = "first-token"

    def __call__(self, environ, start_response):
        path, body = environ["PATH_INFO"], b""
        status = "200 OK"
        if path == "/log":
            with self.doors.lock:
                body = json.dumps(self.doors.log).encode()
        elif path == "/token":
            self.token = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
        elif path == "/credentials":
            if environ.get("HTTP_AUTHORIZATION") == self.token:
                keys = self.sts.assume_role(RoleArn=self.role, RoleSessionName="orders")["Credentials"]
                body = json.dumps(
                    {
                        "AccessKeyId": keys["AccessKeyId"],
                        "SecretAccessKey": keys["SecretAccessKey"],
                        "Token": keys["SessionToken"],
                        "Expiration": f"{keys['Expiration']:%Y-%m-%dT%H:%M:%SZ}",
                    }
                ).encode()
            else:
                status, body = "403 Forbidden", b'{"code":"AccessDenied","message":"wrong token"}'
        else:
            status = "404 Not Found"
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


class Silent(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def serve_wsgi(application):
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.port


# What is stored

# Every character up to U+07FF but NUL, which no environment can hold, and of those above so many that
# every byte is among them that UTF-8 has.
EVERY_CHARACTER = "".join(map(chr, [*range(1, 0x800), *range(0x800, 0xD800, 61), *range(0xE000, 0x110000, 0x1001)]))
AWKWARD = {
    "shell": "MARKER $(touch /tmp/pwned) `id` ${HOME} $HOME 'single' \"double\" \\ \\n ; & | < > ! # * ? ~ %s",
    "lines": "MARKER\nfirst\r\nsecond\n\nA=b\nexport C='d'\n",
    "spaces": "  MARKER\t ",
    "equals": "MARKER=a=b",
    "empty-ish": " ",
}


def seed(settings_of_clients):
    ssm = boto3.client("ssm", **settings_of_clients)
    far = boto3.client("ssm", **{**settings_of_clients, "region_name": "eu-west-1"})
    secrets = boto3.client("secretsmanager", **settings_of_clients)
    far_secrets = boto3.client("secretsmanager", **{**settings_of_clients, "region_name": "eu-west-1"})

    def put(name, value, client=ssm, **others):
        client.put_parameter(Name=name, Value=value, Type="SecureString", Tier="Advanced", **others)

    for number in range(1, 46):
        put(f"/many/p{number}", f"MARKER-{number}")
    for number in range(1, 26):
        put(f"/pages/p-{number}", f"MARKER-page-{number}")
    put("/pages/deeper/key", "MARKER-deeper")
    put("/clash/a-b", "MARKER-a")
    put("/clash/a.b", "MARKER-b")
    for name, value in AWKWARD.items():
        put(f"/awkward/{name}", value)
    put("/awkward/every", EVERY_CHARACTER[:2000])
    put("plain.name", "MARKER-plain")
    put("/versions/x", "MARKER-version-1")
    put("/versions/x", "MARKER-version-2", Overwrite=True)
    ssm.label_parameter_version(Name="/versions/x", ParameterVersion=1, Labels=["stable"])
    put("/overlay/x", "MARKER-overlay")
    put("/far/x", "MARKER-far", client=far)

    def create(name, value, client=secrets):
        return client.create_secret(Name=name, SecretString=value)["ARN"]

    fields = {
        "password": "MARKER-field",
        "port": 5432,
        "precise": 1.50,
        "on": True,
        "nothing": None,
        "nested": {"inner": ["MARKER-inner", 1]},
        "user@host": "MARKER-at",
    }
    arns = {"orders": create("prod/orders", json.dumps(fields).replace('"precise": 1.5,', '"precise": 1.50,'))}
    for number in range(1, 26):
        create(f"many/s{number}", f"MARKER-secret-{number}")
    create("team@corp/db", "MARKER-at-name")
    create("every", EVERY_CHARACTER)
    create("large", "MARKER" + "x" * 65530)
    create("not-json", "MARKER is not JSON")
    create("holds-nul", "MARKER\0")
    create("denied/secret", "MARKER-denied")
    secrets.create_secret(Name="binary", SecretBinary=b"\xff\xfe\x00MARKER")
    secrets.create_secret(Name="binary-text", SecretBinary="MARKER-é".encode())
    arns["far"] = create("far", "MARKER-far-secret", client=far_secrets)
    create("staged", "MARKER-old")
    arns["version"] = secrets.put_secret_value(SecretId="staged", SecretString="MARKER-new")["VersionId"]
    arns["staged"] = secrets.describe_secret(SecretId="staged")["ARN"]
    return arns


def users(settings_of_clients):
    iam = boto3.client("iam", **settings_of_clients)
    policies = {
        "all": ["ssm:*", "secretsmanager:*"],
        "no-batch": ["ssm:GetParameters", "secretsmanager:GetSecretValue"],
        "nothing": ["s3:GetObject"],
    }
    keys = {}
    for name, actions in policies.items():
        iam.create_user(UserName=name)
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        }
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = [key["AccessKeyId"], key["SecretAccessKey"]]
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName="orders", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ssm:*", "secretsmanager:*"], "Resource": "*"}]}
    iam.put_role_policy(RoleName="orders", PolicyName="p", PolicyDocument=json.dumps(document))
    return keys, role


class WithoutAuthentication:
    """boto3's client for the server itself, which has to hand out credentials while others are checked."""

    def __init__(self, port):
        self.port = port

    def assume_role(self, **arguments):
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.sts.models import sts_backends

        role = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assume_role(
            region_name="us-east-1",
            role_session_name=arguments["RoleSessionName"],
            role_arn=arguments["RoleArn"],
            policy=None,
            duration=3600,
            external_id=None,
        )
        return {
            "Credentials": {
                "AccessKeyId": role.access_key_id,
                "SecretAccessKey": role.secret_access_key,
                "SessionToken": role.session_token,
                "Expiration": role.expiration,
            }
        }


def main():
    from pathlib import Path

    folder = Path(tempfile.mkdtemp(prefix="foreword-secrets-"))
    context = tls(folder)
    moto_port = serve_wsgi(DomainDispatcherApplication(create_backend_app))
    clients = {
        "endpoint_url": f"http://127.0.0.1:{moto_port}",
        "region_name": "us-east-1",
        "aws_access_key_id": "seed",
        "aws_secret_access_key": "seed",
    }
    arns = seed(clients)
    keys, role = users(clients)
    # From here on moto asks for signatures and policies.
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0

    doors = Doors(moto_port, context)
    for name, act in FAULTS.items():
        doors.open(name, act)
    control = serve_wsgi(Control(doors, role, WithoutAuthentication(moto_port)))
    print(
        json.dumps(
            {
                "folder": str(folder),
                "ports": {**doors.ports, "never-accepts": never_accepts()},
                "proxy": proxy(doors),
                "control": control,
                "keys": keys,
                "arns": arns,
                "awkward": AWKWARD,
                "every": EVERY_CHARACTER,
            }
        ),
        flush=True,
    )
    sys.stdin.read()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


main()
