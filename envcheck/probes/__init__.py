"""Parsers of what payloads and MediaPipe print: text in, frozen records out. Nothing here touches the machine."""
