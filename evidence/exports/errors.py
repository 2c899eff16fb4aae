"""What exports refuse."""

from config.errors import Conflict, NotFound, ServiceError


class ExportNotFound(NotFound):
    code = "export-not-found"
    title = "There is no such export"
    meaning = "No export of that id is within reach of whoever is asking. One that exists elsewhere looks the same."
    default_detail = "There is no export of this id that you may see."


class ExportNotOpen(Conflict):
    code = "export-not-open"
    title = "It is over"
    meaning = (
        "The export was answered, made, given up or taken back meanwhile. What is needed still is asked for again."
    )
    default_detail = "This was answered, made, given up or taken back meanwhile. Nothing was changed."


class ExportKeyTaken(Conflict):
    code = "export-key-taken"
    title = "This key made another export"
    meaning = "A key makes a repeat the same export. It was sent before with another question or form."
    default_detail = "You sent this key before, with another question or form. Take a new one."


class TooManyExports(Conflict):
    code = "too-many-exports"
    title = "No more exports can wait"
    meaning = "Of one person 20 exports can wait or be made at the same time."
    default_detail = "20 exports of yours wait or are being made. Give one up, or wait until one is finished."


class FileNotThere(ServiceError):
    code = "export-file-gone"
    status = 410
    title = "The export has no file"
    meaning = (
        "The file of an export is deleted when its time is over, or when contents in it are erased or restricted; one"
        " that failed, was given up, taken back or refused never had one. The detail says which it is."
    )
    default_detail = "The file of this export was deleted when its time was over. Ask for it again."


class FileNotReady(Conflict):
    code = "export-not-finished"
    title = "The export has no file yet"
    meaning = "An export is fetched once it is finished. Its page says how far it has come."
    default_detail = "This export is not finished. Its page says how far it has come."


class StorageUnavailable(ServiceError):
    code = "export-storage-unavailable"
    status = 503
    title = "The exports cannot be reached"
    meaning = "Where finished exports are kept does not answer, or lacks the file. The operator's log says why."
    default_detail = "Where finished exports are kept does not answer. Try again later; your operator's log says why."


class RangeNotSatisfiable(ServiceError):
    code = "range-not-satisfiable"
    status = 416
    title = "The file is not that long"
    meaning = "The range that was asked for begins beyond the end of the file. `Content-Range` says how long it is."
    default_detail = "The range begins beyond the end of the file."
