"""lab/servers"""
