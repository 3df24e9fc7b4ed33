"""Backblaze's own simulator (b2sdk's RawSimulator), mended where it differs from the service.

The simulator serves Backblaze's unit tests: it keeps what is stored and knows the rules of versions, hiding, parts and
keys. What it does otherwise than the service, by the service's documentation and by what the official SDK and rclone
expect, is put right here and nowhere else; each mend says what it mends. `serve.py` puts HTTP around it.
"""

import bisect
import io
import itertools
import mimetypes
import threading
import time
import urllib.parse

from b2sdk._internal import exception as refusals
from b2sdk._internal.raw_api import B2RawHTTPApi
from b2sdk._internal.raw_simulator import BucketSimulator, FileSimulator, RawSimulator, get_bytes_range
from b2sdk._internal.utils import hex_sha1_of_bytes

MIN_PART_SIZE = 5_000_000
RECOMMENDED_PART_SIZE = 100_000_000
MAX_COPY_SIZE = 5_000_000_000
MAX_INFOS = 10
# The limit where encryption or Object Lock is on, which it is for every new upload.
MAX_INFO_BYTES = 2_048


class Refused(Exception):
    """An answer of the service that is an error."""

    def __init__(self, status, code, message, headers=None):
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


def refused(error):
    """The simulator's exceptions in the service's words."""
    known = [
        (refusals.FileAlreadyHidden, 400, 'already_hidden'),
        (refusals.FileNotPresent, 404, 'not_found'),
        (refusals.FileSha1Mismatch, 400, 'bad_request'),
        (refusals.PartSha1Mismatch, 400, 'bad_request'),
        (refusals.ChecksumMismatch, 400, 'bad_request'),
        (refusals.MissingPart, 400, 'missing_part'),
        (refusals.DuplicateBucketName, 400, 'duplicate_bucket_name'),
        (refusals.NonExistentBucket, 400, 'bad_bucket_id'),
        (refusals.UnsatisfiableRange, 416, 'range_not_satisfiable'),
        (refusals.CopySourceTooBig, 400, 'source_too_large'),
        (refusals.AccessDenied, 403, 'access_denied'),
        (refusals.Unauthorized, 401, 'unauthorized'),
        (refusals.BadJson, 400, 'bad_json'),
        (refusals.B2Error, 400, 'bad_request'),
        (AssertionError, 400, 'bad_request'),
        (KeyError, 400, 'bad_request'),
    ]
    for kind, status, code in known:
        if isinstance(error, kind):
            return Refused(status, code, str(error) or kind.__name__)
    return None


class Versions(dict):
    """The simulator's table of (name, id), with the ids of a name and the names in order at hand: it sorts the whole
    bucket for every call."""

    def __init__(self):
        super().__init__()
        self.ids = {}
        self.names = []

    def __setitem__(self, key, file):
        name, file_id = key
        if name not in self.ids:
            self.ids[name] = []
            bisect.insort(self.names, name)
        if key not in self:
            bisect.insort(self.ids[name], file_id)
        super().__setitem__(key, file)

    def __delitem__(self, key):
        super().__delitem__(key)
        name, file_id = key
        self.ids[name].remove(file_id)
        if not self.ids[name]:
            del self.ids[name]
            del self.names[bisect.bisect_left(self.names, name)]

    def of(self, name):
        """The versions of a name, newest first: ids count down."""
        return [self[(name, file_id)] for file_id in self.ids.get(name, [])]


class File(FileSimulator):
    def finish(self, part_sha1_array):
        # The simulator takes a single part, and parts of any size.
        parts = [part for part in self.parts if part is not None]
        if len(part_sha1_array) < 2:
            raise Refused(400, 'bad_request', 'large files must have at least 2 parts')
        if len(parts) >= len(part_sha1_array) and any(
            part.content_length < MIN_PART_SIZE for part in parts[: len(part_sha1_array) - 1]
        ):
            raise Refused(400, 'bad_request', 'a part is smaller than the smallest part')
        if len(parts) < len(part_sha1_array):
            raise Refused(400, 'missing_part', 'a part is missing')
        super().finish(part_sha1_array)
        # What is finished takes no parts any more, and they need no memory.
        self.parts = []


class Bucket(BucketSimulator):
    # Wide enough that ids, which count down, always have as many digits.
    FIRST_FILE_NUMBER = 9_999_999_999
    FIRST_FILE_ID = str(FIRST_FILE_NUMBER)
    FILE_SIMULATOR_CLASS = File
    MAX_SIMPLE_COPY_SIZE = MAX_COPY_SIZE

    def __init__(self, api, *arguments, **named):
        super().__init__(api, *arguments, **named)
        # Ids repeat from bucket to bucket, times are 5000, 5001, …, and both run out.
        self.file_id_counter = api.file_ids
        self.upload_timestamp_counter = api.clock
        self.upload_url_counter = itertools.count()
        self.file_name_and_id_to_file = Versions()
        # A set is no JSON.
        self.options_set = []

    def _simulate_chunked_post(self, stream, content_length, **_):
        # Read once, as it came.
        return stream.read()

    def visible(self, name):
        """The file a reader finds: an unfinished one hides nothing, as it does in the simulator."""
        done = [file for file in self.file_name_and_id_to_file.of(name) if file.action != 'start']
        return done[0] if done and done[0].is_visible() else None

    def list_file_names(self, token, start_file_name=None, max_file_count=None, prefix=None, delimiter=None):
        def of(name):
            file = self.visible(name)
            return [file] if file else []

        files, next_name, _ = self._list(token, start_file_name, None, max_file_count, prefix, delimiter, of)
        return dict(files=files, nextFileName=next_name)

    def list_file_versions(
        self, token, start_file_name=None, start_file_id=None, max_file_count=None, prefix=None, delimiter=None
    ):
        of = self.file_name_and_id_to_file.of
        files, next_name, next_id = self._list(
            token, start_file_name, start_file_id, max_file_count, prefix, delimiter, of
        )
        return dict(files=files, nextFileName=next_name, nextFileId=next_id)

    def _list(self, token, start_name, start_id, count, prefix, delimiter, of):
        """A page with where the next begins, if there is more. The simulator knows no delimiter and says that there
        is more whenever a page is full."""
        prefix, count, files, folder = prefix or '', count or 100, [], None
        if not 1 <= count <= 10_000:
            raise Refused(400, 'bad_request', 'maxFileCount out of range')
        names = self.file_name_and_id_to_file.names
        for name in names[bisect.bisect_left(names, max(start_name or '', prefix)) :]:
            if not name.startswith(prefix):
                break
            found = of(name)
            if name == start_name and start_id:
                found = [file for file in found if int(file.file_id) >= int(start_id)]
            if not found:
                continue
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                this = prefix + rest.split(delimiter)[0] + delimiter
                if this == folder or (start_name or '') > this:
                    continue
                if len(files) == count:
                    return files, this, None
                folder = this
                files.append(self._folder(this))
                continue
            for file in found:
                if len(files) == count:
                    return files, name, file.file_id
                files.append(file.as_list_files_dict(token))
        return files, None, None

    def _folder(self, name):
        empty = dict(fileId=None, contentSha1=None, contentType=None, contentMd5=None)
        return dict(empty, accountId=self.account_id, bucketId=self.bucket_id, fileName=name, action='folder',
                    contentLength=0, fileInfo={}, uploadTimestamp=0)

    def hide_file(self, token, file_name):
        # The simulator hides what is hidden and what was never there.
        versions = [file for file in self.file_name_and_id_to_file.of(file_name) if file.action != 'start']
        if not versions:
            raise Refused(400, 'no_such_file', 'File not present: ' + file_name)
        if versions[0].action == 'hide':
            raise Refused(400, 'already_hidden', 'file already hidden: ' + file_name)
        return super().hide_file(token, file_name)

    def upload_file(self, upload_id, token, file_name, length, content_type, sha1, info, stream, *more):
        data = stream.read()
        unverified = sha1 == 'do_not_verify'
        if sha1 == 'hex_digits_at_end':
            data, sha1 = data[:-40], data[-40:].decode('ascii', 'replace')
        actual = hex_sha1_of_bytes(data)
        if not unverified and sha1 != actual:
            raise Refused(400, 'bad_request', 'Sha1 did not match data received')
        content_type = resolved(content_type, file_name)
        result = super().upload_file(
            upload_id, token, file_name, len(data), content_type, actual, info, io.BytesIO(data), *more
        )
        if unverified:
            # The simulator raises ValueError.
            self.file_id_to_file[result['fileId']].content_sha1 = 'unverified:' + actual
            result['contentSha1'] = 'unverified:' + actual
        return result

    def start_large_file(self, token, file_name, content_type, info, *more, **named):
        return super().start_large_file(token, file_name, resolved(content_type, file_name), info, *more, **named)

    def open_large_file(self, file_id):
        file = self.file_id_to_file.get(file_id)
        if file is None or file.action != 'start':
            raise Refused(400, 'bad_request', 'No active upload for: ' + str(file_id))
        return file

    def upload_part(self, file_id, part_number, length, sha1, stream, *more, **named):
        self.open_large_file(file_id)
        data = stream.read()
        if sha1 == 'do_not_verify':
            sha1 = hex_sha1_of_bytes(data)
        elif sha1 == 'hex_digits_at_end':
            data, sha1 = data[:-40], data[-40:].decode('ascii', 'replace')
        if sha1 != hex_sha1_of_bytes(data):
            raise Refused(400, 'bad_request', 'Sha1 did not match data received')
        return super().upload_part(file_id, part_number, len(data), sha1, io.BytesIO(data))

    def finish_large_file(self, token, file_id, part_sha1_array):
        self.open_large_file(file_id)
        return super().finish_large_file(token, file_id, part_sha1_array)

    def cancel_large_file(self, file_id):
        self.open_large_file(file_id)
        return super().cancel_large_file(file_id)

    def list_parts(self, file_id, start, count):
        self.open_large_file(file_id)
        return super().list_parts(file_id, start, count)

    def delete_file_version(self, token, file_id, file_name, bypass_governance=False):
        try:
            return super().delete_file_version(token, file_id, file_name, bypass_governance)
        except refusals.FileNotPresent:
            raise Refused(400, 'file_not_present', f'File not present: {file_name} {file_id}') from None


def resolved(content_type, name):
    """`b2/x-auto` is found by the name's extension; the simulator stores the word."""
    if content_type != 'b2/x-auto':
        return content_type
    return mimetypes.guess_type(name)[0] or 'application/octet-stream'


def clock():
    """Milliseconds since 1970, no two alike."""
    last = 0
    while True:
        last = max(last + 1, time.time_ns() // 1_000_000)
        yield last


def check_name(name):
    try:
        # The rules as the official client knows them; it needs no instance for that.
        B2RawHTTPApi.check_b2_filename(None, name)
    except (refusals.B2Error, ValueError) as error:
        raise Refused(400, 'bad_request', f'Bad file name: {error}') from None


def check_info(name, info):
    if len(info) > MAX_INFOS:
        raise Refused(400, 'bad_request', 'Too many file infos')
    allowed = set('abcdefghijklmnopqrstuvwxyz0123456789-_.`~!#$%^&*\'|+')
    for key in info:
        if not 1 <= len(key) <= 50 or not set(key) <= allowed:
            raise Refused(400, 'bad_request', 'Bad file info name: ' + key)
    size = len(name.encode()) + sum(len(key) + len(value.encode()) for key, value in info.items())
    if size > MAX_INFO_BYTES:
        raise Refused(400, 'bad_request', f'File info too large: {size} bytes')


class Service(RawSimulator):
    BUCKET_SIMULATOR_CLASS = Bucket
    MIN_PART_SIZE = MIN_PART_SIZE

    def __init__(self):
        super().__init__()
        self.file_ids = itertools.count(Bucket.FIRST_FILE_NUMBER, -1)
        self.clock = clock()
        self.bucket_id_counter = itertools.count(1)
        # What the present call is about, for the checks the simulator leaves out.
        self.about = threading.local()

    def authorize(self, version, key_id, key, url):
        """The answer differs between v1, v2, v3 and v4; the simulator knows the last."""
        try:
            answer = self.authorize_account(None, key_id, key)
        except refusals.InvalidAuthToken:
            raise Refused(401, 'bad_auth_token', 'invalid applicationKeyId or applicationKey') from None
        storage = answer['apiInfo']['storageApi']
        allowed = storage['allowed']
        expires = self.key_id_to_key[key_id].expiration_timestamp_or_none
        head = dict(accountId=answer['accountId'], authorizationToken=answer['authorizationToken'])
        places = dict(apiUrl=url, downloadUrl=url, s3ApiUrl=url + '/s3', absoluteMinimumPartSize=MIN_PART_SIZE,
                      recommendedPartSize=RECOMMENDED_PART_SIZE)
        rights = dict(capabilities=allowed['capabilities'], namePrefix=allowed['namePrefix'])
        buckets = allowed['buckets']
        if version < 4 and buckets and len(buckets) > 1:
            raise Refused(400, 'bad_request', 'a key for several buckets needs v4')
        one = buckets[0] if buckets else dict(id=None, name=None)
        if version <= 2:
            answer = dict(head, **places, allowed=dict(rights, bucketId=one['id'], bucketName=one['name']))
            if version == 1:
                answer['minimumPartSize'] = RECOMMENDED_PART_SIZE
            return answer
        head['applicationKeyExpirationTimestamp'] = expires and expires * 1000
        if version == 3:
            api = dict(places, **rights, bucketId=one['id'], bucketName=one['name'], infoType='storageApi')
        else:
            api = dict(places, allowed=dict(rights, buckets=buckets))
        return dict(head, apiInfo=dict(storageApi=api))

    def check_token(self, token):
        """The simulator asserts that a token is one, or does not look."""
        if token not in self.auth_token_to_key:
            raise Refused(401, 'bad_auth_token', 'Invalid authorization token')
        if token in self.expired_auth_tokens:
            raise Refused(401, 'expired_auth_token', 'Authorization token has expired')
        return self.auth_token_to_key[token]

    def _assert_account_auth(self, api_url, token, account_id, capability, bucket_id=None, file_name=None):
        # The simulator forgets the bucket for most calls, so that a key for one bucket can do nothing in it.
        key = self.check_token(token)
        bucket_id = bucket_id or getattr(self.about, 'bucket_id', None)
        name = getattr(self.about, 'name', None)
        self.check_rights(key, capability, bucket_id, name)

    def check_rights(self, key, capability, bucket_id, name):
        if capability not in key.capabilities:
            raise Refused(401, 'unauthorized', 'the key has no ' + capability)
        if key.buckets_or_none is not None and bucket_id not in [one['id'] for one in key.buckets_or_none]:
            raise Refused(401, 'unauthorized', 'the key is for another bucket')
        prefix = key.name_prefix_or_none
        if prefix and capability in ('listFiles', 'readFiles', 'writeFiles', 'deleteFiles'):
            if not (name or '').startswith(prefix):
                raise Refused(401, 'unauthorized', 'the key is for another prefix')

    def bucket_of(self, file_id):
        """The bucket of a version; ids of copies are forgotten by the simulator."""
        for bucket in self.bucket_id_to_bucket.values():
            if file_id in bucket.file_id_to_file:
                return bucket
        return None

    def copy_file(self, *arguments, **named):
        result = super().copy_file(*arguments, **named)
        self.file_id_to_bucket_id[result['fileId']] = result['bucketId']
        # What the service answers when the copy has other infos; the simulator keeps the source's for an empty set.
        if named.get('metadata_directive') is not None and named['metadata_directive'].name == 'REPLACE':
            bucket = self.bucket_id_to_bucket[result['bucketId']]
            bucket.file_id_to_file[result['fileId']].file_info = named.get('file_info') or {}
            result['fileInfo'] = named.get('file_info') or {}
        return result

    def copy_part(self, api_url, token, source_file_id, large_file_id, part_number, bytes_range=None):
        source = self.bucket_of(source_file_id)
        target = self.bucket_of(large_file_id)
        if source is None:
            raise Refused(404, 'not_found', 'no such source')
        if target is None:
            raise Refused(400, 'bad_request', 'No active upload for: ' + str(large_file_id))
        self._assert_account_auth(api_url, token, None, 'writeFiles')
        data = get_bytes_range(source.file_id_to_file[source_file_id].data_bytes, bytes_range)
        if len(data) > MAX_COPY_SIZE:
            raise Refused(400, 'source_too_large', 'Copy source too big')
        return target.upload_part(large_file_id, part_number, len(data), hex_sha1_of_bytes(data), io.BytesIO(data))

    def delete_bucket(self, api_url, token, account_id, bucket_id):
        bucket = self._get_bucket_by_id(bucket_id)
        if bucket.file_id_to_file:
            raise Refused(400, 'cannot_delete_non_empty_bucket', 'the bucket is not empty')
        return super().delete_bucket(api_url, token, account_id, bucket_id)

    def list_buckets(self, api_url, token, account_id, bucket_id=None, bucket_name=None):
        answer = super().list_buckets(api_url, token, account_id, bucket_id, bucket_name)
        key = self.auth_token_to_key[token]
        if key.buckets_or_none is not None and not bucket_id and not bucket_name:
            raise Refused(401, 'unauthorized', 'the key is for another bucket')
        return answer


def decode(text):
    """Names and infos in headers and URLs: `+` is a blank."""
    return urllib.parse.unquote_plus(text, errors='strict')
