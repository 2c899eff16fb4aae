"""What clients read of the controls: state documents, OFREP, event streams. From memory alone, through two doors.

`doors` answers one request; `views` puts it behind Django on the web port, `lane` on the control process's event loop.
"""
