"""A real server of the files and batches endpoints for tests; it answers a batch's requests as the chat server would."""

import json
import re
from contextlib import suppress
from typing import Any

from tests.chat_server import ChatServer


class BatchServer(ChatServer):
    """Batches stay `in_progress` until `end` is called; `files` and `batches` are what was handed in and made, by id."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.forgotten: list[str] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None  # status and body of the answer to every new batch

    def create(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.refusal:
            return self.refusal
        number = len(self.batches) + 1
        lines = self.files[asked["input_file_id"]].splitlines()
        batch = {
            "id": f"batch_{number}", "object": "batch", "status": "in_progress", "created_at": 1_900_000_000 + number, "errors": None,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0}, "output_file_id": None, "error_file_id": None,
        }  # fmt: skip
        self.batches[batch["id"]] = batch | asked
        return 200, self.batches[batch["id"]]

    def lines(self, batch_id: str) -> list[dict[str, Any]]:
        """The requests of a batch."""
        return [json.loads(line) for line in self.files[self.batches[batch_id]["input_file_id"]].splitlines()]

    def end(self, batch_id: str, status: str = "completed", *, answered: int | None = None, odd: bytes = b"") -> None:
        """End a batch after its first `answered` requests, answers in reversed order and `odd` lines behind them."""
        lines = self.lines(batch_id)
        answered = len(lines) if answered is None else answered
        output, errors = [], []
        for line in lines[:answered]:
            code, body = self.answer(line["body"])
            response = {"status_code": code, "request_id": "r", "body": body}
            (output if code == 200 else errors).append({"id": "x", "custom_id": line["custom_id"], "response": response, "error": None})
        for line in lines[answered:]:
            error = {"code": f"batch_{status}", "message": "This request could not be executed in time."}
            errors.append({"id": "x", "custom_id": line["custom_id"], "response": None, "error": error})
        batch = self.batches[batch_id]
        for name, written in (("output_file_id", output), ("error_file_id", errors)):
            if written:
                batch[name] = f"{name}-{batch_id}"
                self.files[batch[name]] = b"".join(json.dumps(line).encode() + b"\n" for line in reversed(written))
        if odd:
            self.files[batch["output_file_id"]] += odd
        batch |= {"status": status, f"{status}_at": 1_900_000_500}
        batch["request_counts"] |= {"completed": len(output), "failed": len(errors)}

    def fail(self, batch_id: str, message: str) -> None:
        """Give a batch up before any of its requests is answered."""
        errors = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": message, "line": None, "param": None}]}
        self.batches[batch_id] |= {"status": "failed", "failed_at": 1_900_000_500, "errors": errors}

    def _handler(self) -> type:
        server = self

        class Handler(super()._handler()):  # type: ignore[misc]
            def do_POST(self) -> None:  # noqa: N802 - the library names it
                if self.path.endswith("/chat/completions"):
                    super().do_POST()
                    return
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.endswith("/files"):
                    name = f"file-{len(server.files) + 1}"
                    boundary = re.search(r"boundary=(\S+)", self.headers["Content-Type"])[1].encode()  # type: ignore[index]
                    part = next(part for part in sent.split(b"--" + boundary) if b"filename=" in part)
                    server.files[name] = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
                    self.tell(
                        200,
                        {
                            "id": name,
                            "object": "file",
                            "bytes": 1,
                            "created_at": 1,
                            "filename": "x",
                            "purpose": "batch",
                            "status": "processed",
                        },
                    )
                else:
                    self.tell(*server.create(json.loads(sent)))

            def do_GET(self) -> None:  # noqa: N802 - the library names it
                path = self.path.partition("?")[0]
                if path.endswith("/content"):
                    self.tell(200, server.files[path.split("/")[-2]])
                elif path.endswith("/batches"):
                    newest_first = list(reversed(server.batches.values()))
                    self.tell(200, {"object": "list", "data": newest_first, "has_more": False})
                else:
                    batch = server.batches.get(path.split("/")[-1])
                    self.tell(*((200, batch) if batch else (404, {"error": {"message": "no such batch"}})))

            def do_DELETE(self) -> None:  # noqa: N802 - the library names it
                name = self.path.split("/")[-1]
                server.forgotten.append(name)
                self.tell(200, {"id": name, "object": "file", "deleted": True})

            def tell(self, status: int, answer: object) -> None:
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with suppress(ConnectionError):
                    self.wfile.write(content)

        return Handler
