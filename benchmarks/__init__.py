"""What Afterguard costs beside what it stands on; `make bench` runs both measurements."""
