"""SQS for bursts: the same answers as moto's, in time that does not grow with the square of the queue.

moto counts all messages many times for each message that it delivers, and copies the queue for each deletion: 10,000
messages take many minutes. Its copy can also lose a message that arrives meanwhile. What a client sees is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable

from moto.core.utils import unix_time, unix_time_millis
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend

from orchestration.local_cloud.methods import as_method


def install() -> None:
    """Replaces methods of moto's queues, for the life of the process."""
    Queue.messages = property(as_method(_receivable))  # type: ignore[assignment,method-assign]
    Queue.delete_message = as_method(_delete)  # type: ignore[method-assign]
    Queue.approximate_number_of_messages = _count(_is_receivable)  # type: ignore[assignment,method-assign]
    Queue.approximate_number_of_messages_delayed = _count(_is_delayed)  # type: ignore[assignment,method-assign]
    Queue.approximate_number_of_messages_not_visible = _count(_is_in_flight)  # type: ignore[assignment,method-assign]
    SQSBackend.is_message_valid_based_on_retention_period = as_method(_is_retained)  # type: ignore[method-assign]


class _Count:
    """A number of messages, counted when it is printed: moto asks for all attributes where it needs another one."""

    def __init__(self, queue: Queue, is_counted: Callable[[Message, float], bool]) -> None:
        self._queue, self._is_counted = queue, is_counted

    def __str__(self) -> str:
        now = unix_time_millis()
        with self._queue._messages_lock:
            return str(sum(self._is_counted(message, now) for message in self._queue._messages))


def _count(is_counted: Callable[[Message, float], bool]) -> property:
    return property(lambda queue: _Count(queue, is_counted))


def _is_in_flight(message: Message, now: float) -> bool:
    return message.visible_at >= now


def _is_delayed(message: Message, now: float) -> bool:
    return message.delayed_until > now


def _is_receivable(message: Message, now: float) -> bool:
    return not _is_in_flight(message, now) and not _is_delayed(message, now)


def _receivable(queue: Queue) -> list[Message]:
    """The messages that a client can receive now, the oldest first."""
    now = unix_time_millis()
    with queue._messages_lock:
        return [message for message in queue._messages if _is_receivable(message, now)]


def _delete(queue: Queue, receipt_handle: str) -> None:
    """Deletes the message that was received with this handle, also if it was received again since."""
    if receipt_handle in queue.deleted_messages:
        return
    with queue._messages_lock:
        for index, message in enumerate(queue._messages):
            if receipt_handle == message.receipt_handle or receipt_handle in message._old_receipt_handles:
                del queue._messages[index]
                queue.pending_messages.discard(message)
                queue.deleted_messages.update(handle for handle in message.all_receipt_handles if handle)
                return
    raise ReceiptHandleIsInvalid


def _is_retained(backend: SQSBackend, queue_name: str, message: Message) -> bool:
    """True while the message is younger than the queue's retention period."""
    queue = backend.get_queue(queue_name)
    sent = (message.sent_timestamp or 0) / 1000  # in seconds
    return queue.message_retention_period + sent > unix_time()  # type: ignore[attr-defined]
