#!/usr/bin/env python3
"""Whether something answers at the broker's port."""

import socket

socket.create_connection((socket.gethostbyname(socket.gethostname()), 9092), 5).close()
