"""HTTP around the mended simulator: the wire of Backblaze B2, v1 to v4, on 127.0.0.1.

`serve.py PORT` serves one account (`account-0`, `masterKey-0`). Beside the API stand, for tests:

    GET  /control/calls            {"b2_upload_file": 3, …} since the last reset
    GET  /control/log              [[seconds, call, status], …] since then
    POST /control/reset            forgets both, and the faults
    POST /control/faults           faults to come, a list; see `Fault`
    POST /control/expire           every account token expires now
    POST /control/expire_uploads   every upload token expires now
    POST /control/make             a bucket, by `bucketName`
    POST /control/key              a key, restricted to `buckets` (names), `namePrefix` and `capabilities`
    GET  /control/files/BUCKET     all versions of a bucket, unfinished ones included
"""

import base64
import io
import json
import random
import socket
import struct
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from b2sdk._internal.raw_api import MetadataDirectiveMode
from simulator import Refused, Service, check_info, check_name, decode, refused


class Fault:
    """One fault to come: `call` is the API's name, `after` so many calls of that name pass first, then it strikes
    `times` times. `what`: `status` (with `status`, `code`, `headers`), `cut_request` (the connection ends in the middle
    of the request's body), `cut_answer` (… of the answer), `lose_answer` (all is done, and the connection ends), `flip`
    (a bit of the body turns over on its way), `expire` (all account tokens expire before the call)."""

    def __init__(self, given):
        self.call, self.what = given['call'], given['what']
        self.after, self.times = given.get('after', 0), given.get('times', 1)
        self.status, self.code = given.get('status', 503), given.get('code', 'service_unavailable')
        self.headers = given.get('headers', {})

    def strikes(self):
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return self.times >= 0


class State:
    """What all connections share. The simulator is used under `lock`; bodies travel outside of it."""

    def __init__(self, url):
        self.url, self.lock = url, threading.RLock()
        self.service = Service()
        self.account_id, self.key = self.service.create_account()
        # The control's own token, which does not expire.
        self.token = self.service.authorize_account(None, self.account_id, self.key)['authorizationToken']
        self.uploads, self.busy, self.dead = {}, set(), set()
        self.reset()

    def reset(self):
        self.calls, self.log, self.faults, self.started = {}, [], [], time.monotonic()

    def fault(self, call):
        """Counts the call, and tells what is to happen to it."""
        with self.lock:
            self.calls[call] = self.calls.get(call, 0) + 1
            for fault in self.faults:
                if fault.call == call and fault.strikes():
                    return fault
        return None

    def upload_url(self, kind, answer):
        """A URL of ours for the simulator's, with a token that gives nothing away."""
        token = f'upload-{random.getrandbits(96):024x}'
        self.uploads[token] = (kind, answer['uploadUrl'], answer['authorizationToken'])
        return dict(answer, uploadUrl=f'{self.url}/{kind}/{token}', authorizationToken=token)


STATE = None


class Cut(Exception):
    """The connection is to end here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.handle_one()

    do_POST = do_HEAD = do_GET

    def handle_one(self):
        path, _, query = self.path.partition('?')
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.call, self.fault, self.used = None, None, None
        try:
            self.route(path.split('/')[1:])
        except Refused as error:
            body = dict(status=error.status, code=error.code, message=error.message)
            self.answer(error.status, body, error.headers)
        except Cut:
            self.cut()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            if self.used:
                with STATE.lock:
                    STATE.busy.discard(self.used)

    def route(self, parts):
        if parts[0] == 'control':
            return self.control(parts[1:])
        if parts[0] == 'b2api' and len(parts) == 3 and parts[1] in ('v1', 'v2', 'v3', 'v4'):
            return self.api(int(parts[1][1:]), parts[2])
        if parts[0] == 'file' and len(parts) >= 3:
            return self.download_by_name(parts[1], '/'.join(parts[2:]))
        if parts[0] in ('b2_upload_file', 'b2_upload_part') and len(parts) == 2:
            return self.upload(parts[0])
        raise Refused(404, 'not_found', 'no such path')

    # What goes in and out.

    def body(self):
        """The request's body, with what the fault does to it."""
        length = self.headers.get('Content-Length')
        if length is None:
            if self.command == 'POST' and self.headers.get('Transfer-Encoding'):
                self.close_connection = True
                raise Refused(411, 'bad_request', 'Content-Length is required')
            length = '0'
        length, fault = int(length), self.fault
        if fault and fault.what == 'cut_request':
            self.rfile.read(length // 2)
            raise Cut
        data = self.rfile.read(length)
        if len(data) < length:
            raise Cut
        if fault and fault.what == 'status':
            raise Refused(fault.status, fault.code, 'a fault that was asked for', fault.headers)
        return data

    def answer(self, status, body, headers=None, kind='application/json'):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {'content-type': kind, 'content-length': str(len(data)), **(headers or {})}
        with STATE.lock:
            if self.call:
                STATE.log.append([time.monotonic() - STATE.started, self.call, status])
        struck = self.fault.what if self.fault and status < 300 else None
        if struck == 'lose_answer':
            return self.cut()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(data[: len(data) // 2] if struck == 'cut_answer' else data)
        self.wfile.flush()
        if struck == 'cut_answer':
            self.cut()

    def cut(self):
        """Ends the connection with a reset, as a broken one ends."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def begin(self, call):
        self.call, self.fault = call, STATE.fault(call)
        if self.fault and self.fault.what == 'expire':
            expire()

    # The API.

    def api(self, version, call):
        if call == 'b2_download_file_by_id':
            return self.download_by_id()
        self.begin(call)
        data = self.body()
        if call == 'b2_authorize_account':
            return self.authorize(version)
        try:
            given = json.loads(data) if data else dict(self.query)
        except ValueError:
            raise Refused(400, 'bad_json', 'the body is no JSON') from None
        perform = CALLS.get(call)
        if perform is None:
            raise Refused(404, 'not_found', 'no such call')
        token = self.headers.get('Authorization', '')
        with STATE.lock:
            STATE.service.check_token(token)
            answer = simulated(lambda: perform(STATE.service, token, given))
        if version == 1 and call in ('b2_list_file_names', 'b2_list_file_versions'):
            # The name it had in v1, which rclone reads.
            answer['files'] = [dict(file, size=file['contentLength']) for file in answer['files']]
        self.answer(200, answer)

    def authorize(self, version):
        try:
            kind, _, code = self.headers.get('Authorization', '').partition(' ')
            key_id, _, key = base64.b64decode(code).decode().partition(':')
        except ValueError:
            raise Refused(401, 'unauthorized', 'no credentials') from None
        with STATE.lock:
            self.answer(200, STATE.service.authorize(version, key_id, key, STATE.url))

    def upload(self, call):
        self.begin(call)
        token = self.headers.get('Authorization', '')
        with STATE.lock:
            known = STATE.uploads.get(token)
            if known is None or known[0] != call or not self.path.endswith('/' + token):
                self.body()
                raise Refused(401, 'bad_auth_token', 'Invalid upload authorization token')
            if token in STATE.busy:
                self.close_connection = True
                raise Refused(400, 'auth_token_limit', 'more than one upload using auth token ' + token)
            STATE.busy.add(token)
            self.used = token
        data = self.body()
        if token in STATE.dead:
            raise Refused(401, 'expired_auth_token', 'the upload token has expired')
        if self.fault and self.fault.what == 'flip':
            data = bytes([data[0] ^ 1]) + data[1:]
        with STATE.lock:
            perform = upload_file if call == 'b2_upload_file' else upload_part
            answer = simulated(lambda: perform(STATE.service, known, self.headers, data))
            # Whoever has the answer may use the URL again.
            STATE.busy.discard(token)
            self.used = None
            self.answer(200, answer)

    # Downloads.

    def download_by_id(self):
        self.begin('b2_download_file_by_id')
        data = self.body()
        given = json.loads(data) if data else self.query
        with STATE.lock:
            bucket = STATE.service.bucket_of(given.get('fileId'))
            file = bucket and bucket.file_id_to_file[given['fileId']]
            self.may_read(bucket, file)
        self.download(file)

    def download_by_name(self, bucket_name, name):
        self.begin('b2_download_file_by_name')
        self.body()
        with STATE.lock:
            bucket = STATE.service.bucket_name_to_bucket.get(decode(bucket_name))
            file = bucket and bucket.visible(decode(name))
            self.may_read(bucket, file)
        self.download(file)

    def may_read(self, bucket, file):
        key = STATE.service.check_token(self.headers.get('Authorization', self.query.get('Authorization', '')))
        if bucket is not None:
            STATE.service.check_rights(key, 'readFiles', bucket.bucket_id, file.name if file else key.name_prefix_or_none)
        if file is None or file.action != 'upload':
            raise Refused(404, 'not_found', 'File with such name does not exist.')

    def download(self, file):
        data, status = file.data_bytes, 200
        headers = {name.lower(): value for name, value in file.as_download_headers().items() if value is not None}
        asked = self.headers.get('Range')
        if asked:
            data, status, headers['content-range'] = ranged(asked, data)
        headers['content-length'] = str(len(data))
        if self.fault and self.fault.what == 'flip' and data:
            data = data[:-1] + bytes([data[-1] ^ 1])
        headers['accept-ranges'] = 'bytes'
        self.answer(status, data, headers, file.content_type)

    # For the tests.

    def control(self, parts):
        data = self.body()
        with STATE.lock:
            self.answer(200, controlled(parts, json.loads(data) if data else None))


def controlled(parts, given):
    if parts == ['calls']:
        return STATE.calls
    if parts == ['log']:
        return STATE.log
    if parts == ['reset']:
        STATE.reset()
    elif parts == ['faults']:
        STATE.faults += [Fault(one) for one in given]
    elif parts == ['expire']:
        expire()
    elif parts == ['expire_uploads']:
        STATE.dead |= set(STATE.uploads)
    elif parts == ['make']:
        service = STATE.service
        return service.create_bucket(service.API_URL, STATE.token, STATE.account_id, given['bucketName'], 'allPrivate')
    elif parts == ['key']:
        service = STATE.service
        buckets = [service.bucket_name_to_bucket[name].bucket_id for name in given['buckets']]
        return service.create_key(service.API_URL, STATE.token, STATE.account_id, given['capabilities'], 'test', None,
                                  buckets or None, given['namePrefix'])
    elif parts[0] == 'files':
        bucket = STATE.service.bucket_name_to_bucket[parts[1]]
        files = sorted(bucket.file_name_and_id_to_file.items())
        return [dict(file.as_list_files_dict(STATE.token)) for _, file in files]
    else:
        raise Refused(404, 'not_found', 'no such control')
    return {}


def expire():
    STATE.service.expired_auth_tokens |= set(STATE.service.auth_token_to_key) - {STATE.token}


def ranged(asked, data):
    """The bytes of a `Range`, the status and `Content-Range`. The simulator refuses an end beyond the file."""
    first, _, last = asked.removeprefix('bytes=').partition('-')
    if first:
        start, end = int(first), min(int(last) + 1 if last else len(data), len(data))
    else:
        start, end = max(0, len(data) - int(last)), len(data)
    if start >= len(data) or start >= end:
        raise Refused(416, 'range_not_satisfiable', 'The Range in the request is outside the size of the file.')
    return data[start:end], 206, f'bytes {start}-{end - 1}/{len(data)}'


def simulated(perform):
    """The simulator's answer; what it raises, in the service's words."""
    about = STATE.service.about
    about.bucket_id = about.name = None
    try:
        return perform()
    except Exception as error:
        known = None if isinstance(error, Refused) else refused(error)
        if known:
            raise known from error
        raise


# The calls, as the simulator takes them. Each says first what it is about.


def about(service, bucket_id=None, name=None, file_id=None):
    if file_id is not None:
        bucket = service.bucket_of(file_id)
        bucket_id = bucket and bucket.bucket_id
        name = bucket and bucket.file_id_to_file[file_id].name
    service.about.bucket_id, service.about.name = bucket_id, name


def of_file(service, token, given, capability, missing=(400, 'bad_request')):
    file_id = given['fileId']
    about(service, file_id=file_id)
    bucket = service.bucket_of(file_id)
    if bucket is None:
        raise Refused(*missing, 'No active upload or file: ' + str(file_id))
    service._assert_account_auth(None, token, None, capability)
    return bucket, file_id


def in_bucket(service, token, given, capability, name=None):
    about(service, given['bucketId'], name)
    bucket = service._get_bucket_by_id(given['bucketId'])
    service._assert_account_auth(None, token, None, capability)
    return bucket


def listed(service, token, given, how):
    bucket = in_bucket(service, token, given, 'listFiles', given.get('prefix'))
    named = dict(start_file_name=given.get('startFileName'), max_file_count=given.get('maxFileCount'),
                 prefix=given.get('prefix'), delimiter=given.get('delimiter') or None)
    for name, value in named.items():
        if name == 'max_file_count' and value is not None:
            named[name] = int(value)
    if how == 'versions':
        if given.get('startFileId') and not given.get('startFileName'):
            raise Refused(400, 'bad_request', 'startFileId needs startFileName')
        return bucket.list_file_versions(token, start_file_id=given.get('startFileId'), **named)
    return bucket.list_file_names(token, **named)


def unfinished(service, token, given):
    bucket = in_bucket(service, token, given, 'listFiles', given.get('namePrefix'))
    count = int(given.get('maxFileCount') or 100)
    if not 1 <= count <= 100:
        raise Refused(400, 'bad_request', 'maxFileCount out of range')
    answer = bucket.list_unfinished_large_files(token, given.get('startFileId'), count, given.get('namePrefix'))
    for file in answer['files']:
        file['action'] = 'start'
    return answer


def started(service, token, given):
    name, info = given['fileName'], {key.lower(): value for key, value in (given.get('fileInfo') or {}).items()}
    check_name(name)
    check_info(name, info)
    bucket = in_bucket(service, token, given, 'writeFiles', name)
    answer = bucket.start_large_file(token, name, given['contentType'], info)
    service.file_id_to_bucket_id[answer['fileId']] = bucket.bucket_id
    return dict(answer, action='start', contentSha1='none', contentLength=0)


def upload_url(service, token, given):
    bucket = in_bucket(service, token, given, 'writeFiles', service.auth_token_to_key[token].name_prefix_or_none)
    return STATE.upload_url('b2_upload_file', bucket.get_upload_url(token))


def upload_part_url(service, token, given):
    bucket, file_id = of_file(service, token, given, 'writeFiles')
    bucket.open_large_file(file_id)
    answer = bucket.get_upload_part_url(token, file_id)
    return dict(STATE.upload_url('b2_upload_part', answer), fileId=file_id)


def upload_file(service, known, headers, data):
    _, url, simulated_token = known
    account_token = simulated_token.rsplit('/', 1)[-1]
    name = decode(headers['X-Bz-File-Name'])
    info = {key.lower()[10:]: decode(value) for key, value in headers.items() if key.lower().startswith('x-bz-info-')}
    check_name(name)
    check_info(name, info)
    bucket_id = url.split('/')[3]
    about(service, bucket_id, name)
    key = service.auth_token_to_key[account_token]
    service.check_rights(key, 'writeFiles', bucket_id, name)
    return service.upload_file(url, simulated_token, name, len(data), headers['Content-Type'],
                               headers['X-Bz-Content-Sha1'], info, io.BytesIO(data))


def upload_part(service, known, headers, data):
    _, url, simulated_token = known
    number = int(headers['X-Bz-Part-Number'])
    if not 1 <= number <= 10_000:
        raise Refused(400, 'bad_request', 'Part number must be in range 1 - 10000')
    return service.upload_part(url, simulated_token, number, len(data), headers['X-Bz-Content-Sha1'],
                               io.BytesIO(data))


def asked_range(given):
    if not given.get('range'):
        return None
    first, _, last = given['range'].removeprefix('bytes=').partition('-')
    return int(first), int(last)


def copied(service, token, given):
    source, target = service.bucket_of(given['sourceFileId']), given.get('destinationBucketId')
    if source is None or source.file_id_to_file[given['sourceFileId']].action != 'upload':
        raise Refused(404, 'not_found', 'no such source')
    check_name(given['fileName'])
    info = given.get('fileInfo')
    check_info(given['fileName'], info or {})
    about(service, target or source.bucket_id, given['fileName'])
    directive = given.get('metadataDirective')
    return service.copy_file(
        service.API_URL, token, given['sourceFileId'], given['fileName'], asked_range(given),
        MetadataDirectiveMode[directive] if directive else None, given.get('contentType'), info, target)


def copied_part(service, token, given):
    about(service, file_id=given['largeFileId'])
    return service.copy_part(service.API_URL, token, given['sourceFileId'], given['largeFileId'],
                             int(given['partNumber']), asked_range(given))


def parts(service, token, given):
    bucket, file_id = of_file(service, token, given, 'writeFiles')
    return bucket.list_parts(file_id, int(given.get('startPartNumber') or 1), int(given.get('maxPartCount') or 100))


def finished(service, token, given):
    bucket, file_id = of_file(service, token, given, 'writeFiles')
    return bucket.finish_large_file(token, file_id, given['partSha1Array'])


def cancelled(service, token, given):
    bucket, file_id = of_file(service, token, given, 'writeFiles')
    return bucket.cancel_large_file(file_id)


def deleted(service, token, given):
    bucket, file_id = of_file(service, token, given, 'deleteFiles', (400, 'file_not_present'))
    return bucket.delete_file_version(token, file_id, given['fileName'])


def file_info(service, token, given):
    bucket, file_id = of_file(service, token, given, 'readFiles', (404, 'not_found'))
    return bucket.get_file_info_by_id(token, file_id)


def hidden(service, token, given):
    bucket = in_bucket(service, token, given, 'writeFiles', given['fileName'])
    answer = bucket.hide_file(token, given['fileName'])
    service.file_id_to_bucket_id[answer['fileId']] = bucket.bucket_id
    return answer


def buckets(service, token, given):
    return service.list_buckets(service.API_URL, token, given['accountId'], given.get('bucketId'),
                                given.get('bucketName'))


def made_bucket(service, token, given):
    name = given['bucketName']
    if not 6 <= len(name) <= 63 or name.startswith('b2-'):
        raise Refused(400, 'invalid_bucket_name', 'a bucket name has 6 to 63 characters')
    return service.create_bucket(service.API_URL, token, given['accountId'], name, given['bucketType'],
                                 given.get('bucketInfo'), given.get('corsRules'), given.get('lifecycleRules'))


def removed_bucket(service, token, given):
    about(service, given['bucketId'])
    return service.delete_bucket(service.API_URL, token, given['accountId'], given['bucketId'])


def made_key(service, token, given):
    buckets = given.get('bucketIds') or ([given['bucketId']] if given.get('bucketId') else None)
    return service.create_key(service.API_URL, token, given['accountId'], given['capabilities'], given['keyName'],
                              given.get('validDurationInSeconds'), buckets, given.get('namePrefix'))


CALLS = {
    'b2_cancel_large_file': cancelled,
    'b2_copy_file': copied,
    'b2_copy_part': copied_part,
    'b2_create_bucket': made_bucket,
    'b2_create_key': made_key,
    'b2_delete_bucket': removed_bucket,
    'b2_delete_file_version': deleted,
    'b2_finish_large_file': finished,
    'b2_get_file_info': file_info,
    'b2_get_upload_part_url': upload_part_url,
    'b2_get_upload_url': upload_url,
    'b2_hide_file': hidden,
    'b2_list_buckets': buckets,
    'b2_list_file_names': lambda service, token, given: listed(service, token, given, 'names'),
    'b2_list_file_versions': lambda service, token, given: listed(service, token, given, 'versions'),
    'b2_list_parts': parts,
    'b2_list_unfinished_large_files': unfinished,
    'b2_start_large_file': started,
}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    global STATE
    port = int(sys.argv[1])
    STATE = State(f'http://127.0.0.1:{port}')
    Server(('127.0.0.1', port), Handler).serve_forever()


if __name__ == '__main__':
    main()
